/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mptsas1068: requests posted by their address, MPI 1.5. A list begins in the
 * request and goes on in segments, to each of which the one before has a chain
 * element.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "hba.h"

#define REG_DOORBELL 0x00
#define REG_INTERRUPT_STATUS 0x30
#define REG_INTERRUPT_MASK 0x34
#define REG_REQUEST 0x40
#define REG_REPLY 0x44
#define NO_REPLY UINT32_MAX
#define REPLY_IS_ADDRESS 0x80000000

#define DOORBELL_RESET (0x40u << 24)
#define DOORBELL_HANDSHAKE(dwords) (0x42u << 24 | (dwords) << 16)

#define REQUEST HBA_STRUCTURES
#define REPLY (REQUEST + 4 * KiB)
#define SENSE (REQUEST + 8 * KiB)
#define SEGMENTS (REQUEST + 12 * KiB)
#define REPLY_BYTES 0x24

#define FUNCTION_IOC_INIT 2
#define HOST_DRIVER 4
#define IOC_INIT_BYTES 44
#define IOC_INIT_REPLY_BYTES 20

/* In a SCSI I/O request and its reply */
#define AT_CHAIN_OFFSET 2           /* in dwords */
#define AT_LIST 48
#define AT_STATUS 0x0c
#define AT_STATE 0x0d
#define STATE_NO_STATUS 0x04
/* Both directions: the HBA does not ask whether the CDB has the same. */
#define CONTROL_ANY 0x03000000

/* Flags of an element */
#define LAST 0x80000000             /* of its segment */
#define END_OF_BUFFER 0x40000000
#define END_OF_LIST 0x01000000
#define SIMPLE 0x12000000           /* with 64 bits of address */
#define CHAIN 0x32000000

#define ELEMENT_BYTES 12
#define ELEMENTS_PER_SEGMENT 3
#define SEGMENT_BYTES ((ELEMENTS_PER_SEGMENT + 1) * ELEMENT_BYTES)
#define CHAIN_DWORDS (ELEMENTS_PER_SEGMENT * ELEMENT_BYTES / 4)

static void start(Hba *h)
{
    uint8_t init[IOC_INIT_BYTES] = {
        HOST_DRIVER, [3] = FUNCTION_IOC_INIT, [5] = 8, [6] = 1,
    };

    stw_le_p(init + 12, REPLY_BYTES);
    qpci_io_writel(h->pci, h->bar, REG_DOORBELL, DOORBELL_RESET);
    qpci_io_writel(h->pci, h->bar, REG_INTERRUPT_MASK, 0xffffffff);
    qpci_io_writel(h->pci, h->bar, REG_DOORBELL,
                   DOORBELL_HANDSHAKE(IOC_INIT_BYTES / 4));
    for (unsigned i = 0; i < IOC_INIT_BYTES; i += 4) {
        qpci_io_writel(h->pci, h->bar, REG_DOORBELL, ldl_le_p(init + i));
    }
    for (unsigned i = 0; i < IOC_INIT_REPLY_BYTES / 2; i++) {
        qpci_io_readl(h->pci, h->bar, REG_DOORBELL);
    }
    qpci_io_writel(h->pci, h->bar, REG_INTERRUPT_STATUS, 0);
    qpci_io_writel(h->pci, h->bar, REG_REPLY, REPLY);
}

static void put_element(Hba *h, uint64_t at, uint32_t flags, uint64_t addr)
{
    qtest_writel(h->qts, at, flags);
    qtest_writeq(h->qts, at + 4, addr);
}

/* A list of no element is one of no bytes. */
static void write_list(Hba *h, const HbaCommand *c)
{
    uint64_t segment = REQUEST + AT_LIST, next = SEGMENTS;

    if (!c->n) {
        put_element(h, segment, SIMPLE | LAST | END_OF_BUFFER | END_OF_LIST, 0);
    }
    for (unsigned i = 0; i < c->n; i++) {
        unsigned at = i % ELEMENTS_PER_SEGMENT;
        uint32_t flags = SIMPLE | c->list[i].bytes;

        if (i == c->n - 1) {
            flags |= LAST | END_OF_BUFFER | END_OF_LIST;
        } else if (at == ELEMENTS_PER_SEGMENT - 1) {
            flags |= LAST;
        }
        put_element(h, segment + at * ELEMENT_BYTES, flags, c->list[i].addr);
        if (at == ELEMENTS_PER_SEGMENT - 1) {
            put_element(h, segment + at * ELEMENT_BYTES + ELEMENT_BYTES,
                        CHAIN | CHAIN_DWORDS << 16 | SEGMENT_BYTES, next);
            segment = next;
            next += SEGMENT_BYTES;
        }
    }
}

static void write_request(Hba *h, const HbaCommand *c)
{
    uint8_t request[AT_LIST] = {
        [AT_CHAIN_OFFSET] = AT_LIST / 4 + CHAIN_DWORDS,
        [4] = c->cdb_len, [5] = 18,
    };

    stl_le_p(request + 20, CONTROL_ANY);
    memcpy(request + 24, c->cdb, 16);
    stl_le_p(request + 40, hba_list_bytes(c));
    stl_le_p(request + 44, SENSE);
    qtest_memwrite(h->qts, REQUEST, request, sizeof(request));
}

static int post(Hba *h)
{
    int64_t since = 0;
    uint32_t reply;

    qpci_io_writel(h->pci, h->bar, REG_REQUEST, REQUEST);
    do {
        reply = qpci_io_readl(h->pci, h->bar, REG_REPLY);
    } while (reply == NO_REPLY && hba_patience(&since));
    if (reply == NO_REPLY) {
        return HBA_LOST;
    }
    if (!(reply & REPLY_IS_ADDRESS)) {
        return 0;                   /* all went well */
    }
    qpci_io_writel(h->pci, h->bar, REG_REPLY, REPLY);
    return qtest_readb(h->qts, REPLY + AT_STATE) & STATE_NO_STATUS ?
           HBA_FAILED : qtest_readb(h->qts, REPLY + AT_STATUS);
}

static int command(Hba *h, const HbaCommand *c)
{
    write_request(h, c);
    write_list(h, c);
    return post(h);
}

/* ---- Chains that lead astray ------------------------------------------- */

#define NOWHERE 0x20000000

static int to(Hba *h, const HbaCommand *c, uint32_t flags, uint64_t addr)
{
    put_element(h, REQUEST + AT_LIST, SIMPLE | LAST | 64, c->list[0].addr);
    put_element(h, REQUEST + AT_LIST + CHAIN_DWORDS * 4, flags, addr);
    return post(h);
}

/* Ends when there are enough bytes, which are the same again and again. */
static int to_itself(Hba *h, const HbaCommand *c)
{
    put_element(h, SEGMENTS, SIMPLE | LAST | 64, c->list[0].addr);
    put_element(h, SEGMENTS + CHAIN_DWORDS * 4, CHAIN | CHAIN_DWORDS << 16,
                SEGMENTS);
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, SEGMENTS);
}

/* Never ends but for the HBA's not taking an element of no bytes. */
static int to_itself_with_nothing(Hba *h, const HbaCommand *c)
{
    put_element(h, SEGMENTS, SIMPLE | LAST, c->list[0].addr);
    put_element(h, SEGMENTS + CHAIN_DWORDS * 4, CHAIN | CHAIN_DWORDS << 16,
                SEGMENTS);
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, SEGMENTS);
}

static int to_its_request(Hba *h, const HbaCommand *c)
{
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, REQUEST + AT_LIST);
}

static int to_a_chain(Hba *h, const HbaCommand *c)
{
    return to(h, c, CHAIN, REQUEST + AT_LIST + CHAIN_DWORDS * 4);
}

static int to_nowhere(Hba *h, const HbaCommand *c)
{
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, NOWHERE);
}

static int to_the_end_of_addresses(Hba *h, const HbaCommand *c)
{
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, UINT64_MAX - 2);
}

static int to_registers(Hba *h, const HbaCommand *c)
{
    return to(h, c, CHAIN | CHAIN_DWORDS << 16, h->bar.addr);
}

static int without_chain(Hba *h, const HbaCommand *c)
{
    return to(h, c, SIMPLE | 64, c->list[0].addr);
}

static int beyond_the_frame(Hba *h, const HbaCommand *c)
{
    qtest_memset(h->qts, REQUEST + 255 * 4, 0xff, ELEMENT_BYTES);
    qtest_writeb(h->qts, REQUEST + AT_CHAIN_OFFSET, 255);
    put_element(h, REQUEST + AT_LIST, SIMPLE | LAST | 64, c->list[0].addr);
    return post(h);
}

static const struct {
    const char *name;
    int (*send)(Hba *h, const HbaCommand *c);
} chains[] = {
    { "to itself", to_itself },
    { "to itself, with nothing", to_itself_with_nothing },
    { "to its request", to_its_request },
    { "to a chain element", to_a_chain },
    { "to nowhere", to_nowhere },
    { "to the end of addresses", to_the_end_of_addresses },
    { "to the HBA's registers", to_registers },
    { "that is none", without_chain },
    { "beyond the request", beyond_the_frame },
};

static const char *bad_chain(Hba *h, const HbaCommand *c, unsigned i,
                             int *status)
{
    if (i == ARRAY_SIZE(chains)) {
        return NULL;
    }
    write_request(h, c);
    *status = chains[i].send(h, c);
    return chains[i].name;
}

const HbaDriver hba_mptsas1068 = {
    .device = "mptsas1068", .bar = 1, .max_addr = UINT64_MAX,
    .max_bytes = 0xffffff, .autosense = true, .start = start,
    .command = command, .bad_chain = bad_chain,
};
