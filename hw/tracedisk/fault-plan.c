/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: a fault plan, read and checked
 *
 * GLib reads the key file. Every key has an entry in a table: who may use it,
 * how its value is read, and what a right one looks like. Nothing that the
 * user wrote is ignored.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "faults.h"
#include "fault-keys.h"

#define SETTINGS "plan"             /* the section that is no fault */
#define DEFAULT_REORDER_NS (10 * SCALE_MS)
#define MAX_NS (3600ull * NANOSECONDS_PER_SECOND)

typedef struct Reading {
    const char *path;
    enum td_protocol protocol;
    GKeyFile *file;
    uint32_t seed;
} Reading;

/* ---- Values ------------------------------------------------------------ */

/*
 * NULL is a missing part of a value: no number. strtoull() would take a sign,
 * and -1 for the largest number there is.
 */
static bool parse_number(const char *value, uint64_t *number)
{
    return value && g_ascii_isdigit(*value) &&
           qemu_strtou64(value, NULL, 0, number) == 0;
}

static bool parse_positive(const char *value, uint64_t *number)
{
    return parse_number(value, number) && *number > 0;
}

static bool parse_byte(const char *value, uint8_t *byte)
{
    uint64_t number;

    if (!parse_number(value, &number) || number > UINT8_MAX) {
        return false;
    }
    *byte = number;
    return true;
}

/* A or A-B */
static bool parse_range(const char *value, uint64_t *first, uint64_t *last)
{
    g_auto(GStrv) parts = g_strsplit(value, "-", 2);

    return parse_number(parts[0], first) &&
           parse_number(parts[1] ?: parts[0], last) && *first <= *last;
}

static bool parse_time(const char *value, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        { "ns", 1 }, { "us", SCALE_US }, { "ms", SCALE_MS },
        { "s", NANOSECONDS_PER_SECOND },
    };
    const char *unit;
    uint64_t number;

    if (!g_ascii_isdigit(*value) ||
        qemu_strtou64(value, &unit, 10, &number) < 0 || !number) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (!strcmp(unit, units[i].name)) {
            *ns = number * units[i].ns;
            return number <= MAX_NS / units[i].ns;
        }
    }
    return false;
}

/* ---- Keys that say which commands -------------------------------------- */

/* Does any command of the protocol have a name like this? */
static bool names_a_command(enum td_protocol protocol, const char *pattern)
{
    uint8_t raw[20] = { 0x27, 0x80 };
    unsigned opcode = protocol == TD_ATA ? 2 : 0;
    unsigned sub = protocol == TD_ATA ? 3 : 1;  /* FEATURES, service action */
    struct td_decoded decoded;

    for (unsigned i = 0; i < 256 * 256; i++) {
        raw[opcode] = i >> 8;
        raw[sub] = i;
        td_decode(protocol, raw, sizeof(raw), &decoded);
        if (g_pattern_match_simple(pattern, decoded.name)) {
            return true;
        }
    }
    return false;
}

static bool parse_command(const Reading *in, TdFaultRule *r, const char *value)
{
    g_free(r->command);
    r->command = g_ascii_strup(value, -1);
    return names_a_command(in->protocol, r->command);
}

static bool parse_op(const Reading *in, TdFaultRule *r, const char *value)
{
    for (unsigned op = TD_OP_OTHER; op <= TD_OP_IDENTIFY; op++) {
        if (!strcmp(value, td_op_name(op))) {
            r->ops = 1u << op;
            return true;
        }
    }
    return false;
}

static bool parse_lba(const Reading *in, TdFaultRule *r, const char *value)
{
    r->has_lba = true;
    return parse_range(value, &r->first_lba, &r->last_lba);
}

static bool parse_tag(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_range(value, &r->first_tag, &r->last_tag);
}

static bool parse_port(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_range(value, &r->first_port, &r->last_port);
}

static bool parse_nth(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_positive(value, &r->nth);
}

static bool parse_every(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_positive(value, &r->every);
}

static bool parse_count(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_positive(value, &r->count);
}

static bool parse_probability(const Reading *in, TdFaultRule *r,
                              const char *value)
{
    char *end;

    r->probability = g_ascii_strtod(value, &end);
    return end != value && !*end && r->probability > 0 && r->probability <= 1;
}

/* ---- Keys that say what is done ---------------------------------------- */

static bool parse_delay(const Reading *in, TdFaultRule *r, const char *value)
{
    r->fault.what |= TD_FAULT_DELAY;
    return parse_time(value, &r->fault.delay_ns);
}

static bool parse_reorder(const Reading *in, TdFaultRule *r, const char *value)
{
    r->fault.what |= TD_FAULT_REORDER;
    return parse_positive(value, &r->fault.reorder);
}

static bool parse_error(const Reading *in, TdFaultRule *r, const char *value)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } bits[] = {                /* ACS-3 6.3 */
        { "icrc", 0x80 }, { "unc", 0x40 }, { "idnf", 0x10 }, { "abrt", 0x04 },
    };

    r->fault.what |= TD_FAULT_FAIL;
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        if (!g_ascii_strcasecmp(value, bits[i].name)) {
            r->fault.error = bits[i].bit;
            return true;
        }
    }
    return parse_byte(value, &r->fault.error);
}

/* Without ERR in STATUS an AHCI HBA takes a command as good [5.3.13.2]. */
static bool parse_ata_status(const Reading *in, TdFaultRule *r,
                             const char *value)
{
    r->fault.what |= TD_FAULT_FAIL;
    return parse_byte(value, &r->fault.status) && r->fault.status & 0x01 &&
           !(r->fault.status & 0x88);
}

static bool parse_scsi_status(const Reading *in, TdFaultRule *r,
                              const char *value)
{
    static const struct {
        const char *name;
        uint8_t code;
    } codes[] = {               /* SAM-5 5.3.1 */
        { "check-condition", 0x02 }, { "busy", 0x08 },
        { "reservation-conflict", 0x18 }, { "task-set-full", 0x28 },
        { "aca-active", 0x30 }, { "task-aborted", 0x40 },
    };

    r->fault.what |= TD_FAULT_FAIL;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (!g_ascii_strcasecmp(value, codes[i].name)) {
            r->fault.status = codes[i].code;
            return true;
        }
    }
    return false;
}

/* KEY/ASC/ASCQ, as tracedisk dump prints them: hexadecimal */
static bool parse_sense(const Reading *in, TdFaultRule *r, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, "/", 3);
    uint64_t number[3];

    r->fault.what |= TD_FAULT_FAIL;
    if (g_strv_length(parts) != 3) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (qemu_strtou64(parts[i], NULL, 16, &number[i]) < 0 ||
            number[i] > (i ? 0xff : 0xf)) {
            return false;
        }
    }
    r->fault.sense_key = number[0];
    r->fault.asc = number[1];
    r->fault.ascq = number[2];
    return true;
}

static bool parse_short(const Reading *in, TdFaultRule *r, const char *value)
{
    r->fault.what |= TD_FAULT_SHORT;
    return parse_number(value, &r->fault.short_bytes);
}

static bool parse_flip(const Reading *in, TdFaultRule *r, const char *value)
{
    r->fault.what |= TD_FAULT_FLIP;
    return parse_number(value, &r->fault.flip_offset);
}

static bool parse_mask(const Reading *in, TdFaultRule *r, const char *value)
{
    return parse_byte(value, &r->fault.flip_mask) && r->fault.flip_mask;
}

static bool parse_interrupt(const Reading *in, TdFaultRule *r,
                            const char *value)
{
    r->fault.what |= TD_FAULT_INTERRUPT;
    return !strcmp(value, "drop") || parse_time(value, &r->fault.interrupt_ns);
}

static bool parse_link(const Reading *in, TdFaultRule *r, const char *value)
{
    r->fault.what |= TD_FAULT_LINK;
    return !strcmp(value, "reset");
}

/* ---- The keys ---------------------------------------------------------- */

typedef struct Key {
    const char *name;
    unsigned protocols;
    bool acts;                  /* says what is done, not to whom */
    bool (*parse)(const Reading *in, TdFaultRule *r, const char *value);
    const char *wanted;
} Key;

#define KEY(name, protocols, acts, parse, wanted) \
    { name, protocols, acts, parse, wanted },

static const Key keys[] = { FAULT_KEYS(KEY) };

static const Key *find_key(const Reading *in, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (!strcmp(keys[i].name, name) &&
            keys[i].protocols & 1u << in->protocol) {
            return &keys[i];
        }
    }
    return NULL;
}

static void unknown_key(const Reading *in, const char *section,
                        const char *name, Error **errp)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].protocols & 1u << in->protocol) {
            g_string_append_printf(known, "%s%s", known->len ? ", " : "",
                                   keys[i].name);
        }
    }
    error_setg(errp, "faults=%s: [%s] has no key '%s' on %s disk: use %s",
               in->path, section, name,
               in->protocol == TD_ATA ? "an ATA" : "a SCSI", known->str);
}

/* ---- Sections ---------------------------------------------------------- */

static void free_rule(gpointer data)
{
    TdFaultRule *r = data;

    g_free(r->text);
    g_free(r->command);
    if (r->rand) {
        g_rand_free(r->rand);
    }
    g_free(r);
}

static TdFaultRule *new_rule(const char *section)
{
    TdFaultRule *r = g_new0(TdFaultRule, 1);

    r->text = g_strdup_printf("[%s]", section);
    r->last_tag = r->last_port = UINT64_MAX;
    r->probability = 1;
    r->fault.flip_mask = 0xff;
    return r;
}

static bool read_key(const Reading *in, TdFaultRule *r, const char *section,
                     const char *name, Error **errp)
{
    const Key *key = find_key(in, name);
    g_autofree char *value = g_key_file_get_value(in->file, section, name,
                                                  NULL);

    if (!key) {
        unknown_key(in, section, name, errp);
        return false;
    }
    g_strstrip(value);
    if (!key->parse(in, r, value)) {
        error_setg(errp, "faults=%s: [%s] %s=%s: give %s", in->path, section,
                   name, value, key->wanted);
        return false;
    }
    if (key->acts) {
        g_autofree char *text = r->text;

        r->text = g_strdup_printf("%s %s=%s", text, name, value);
    }
    return true;
}

static bool has(const Reading *in, const char *section, const char *key)
{
    return g_key_file_has_key(in->file, section, key, NULL);
}

/* Keys that only make sense together; what is not said gets its default. */
static bool complete_rule(const Reading *in, TdFaultRule *r,
                          const char *section, Error **errp)
{
    TdFault *f = &r->fault;
    const char *wrong = NULL;

    if (!f->what) {
        wrong = in->protocol == TD_ATA ?
                "it does nothing: give delay, reorder, error, short, flip, "
                "interrupt or link" :
                "it does nothing: give delay, reorder, status, sense, short "
                "or flip";
    } else if (has(in, section, "mask") && !(f->what & TD_FAULT_FLIP)) {
        wrong = "mask needs flip";
    } else if (f->what & TD_FAULT_LINK &&
               f->what & ~(TD_FAULT_LINK | TD_FAULT_DELAY)) {
        wrong = "link ends the command: only delay goes with it";
    } else if (in->protocol == TD_ATA && has(in, section, "status") &&
               !has(in, section, "error")) {
        wrong = "status needs error";
    } else if (has(in, section, "sense") && has(in, section, "status") &&
               f->status != 0x02) {
        wrong = "sense goes with status=check-condition";
    } else if (f->status == 0x02 && in->protocol == TD_SCSI &&
               !has(in, section, "sense")) {
        wrong = "status=check-condition needs sense";
    }
    if (wrong) {
        error_setg(errp, "faults=%s: [%s]: %s", in->path, section, wrong);
        return false;
    }
    if (f->what & TD_FAULT_FAIL && !f->status) {
        /* DRDY, DSC, ERR; CHECK CONDITION */
        f->status = in->protocol == TD_ATA ? 0x51 : 0x02;
    }
    if (f->what & TD_FAULT_REORDER && !f->delay_ns) {
        f->delay_ns = DEFAULT_REORDER_NS;
    }
    return true;
}

static bool read_section(const Reading *in, const char *section,
                         TdFaultRule *r, Error **errp)
{
    g_auto(GStrv) names = g_key_file_get_keys(in->file, section, NULL, NULL);

    for (char **name = names; *name; name++) {
        if (!read_key(in, r, section, *name, errp)) {
            return false;
        }
    }
    return complete_rule(in, r, section, errp);
}

/* [plan]: seed */
static bool read_settings(Reading *in, Error **errp)
{
    g_auto(GStrv) names = g_key_file_get_keys(in->file, SETTINGS, NULL, NULL);

    for (char **name = names; name && *name; name++) {
        g_autofree char *value = g_key_file_get_value(in->file, SETTINGS,
                                                      *name, NULL);
        uint64_t seed;

        if (strcmp(*name, "seed")) {
            error_setg(errp, "faults=%s: [" SETTINGS "] has no key '%s': use "
                       "seed, and a section of another name for a fault",
                       in->path, *name);
            return false;
        }
        if (!parse_number(g_strstrip(value), &seed) || seed > UINT32_MAX) {
            error_setg(errp, "faults=%s: [" SETTINGS "] seed=%s: give a number "
                       "up to 4294967295", in->path, value);
            return false;
        }
        in->seed = seed;
    }
    return true;
}

static bool read_plan(Reading *in, TdFaultPlan *plan, Error **errp)
{
    g_auto(GStrv) sections = g_key_file_get_groups(in->file, NULL);

    if (!read_settings(in, errp)) {
        return false;
    }
    for (char **section = sections; *section; section++) {
        TdFaultRule *r;

        if (!strcmp(*section, SETTINGS)) {
            continue;
        }
        r = new_rule(*section);
        g_ptr_array_add(plan->rules, r);
        if (!read_section(in, *section, r, errp)) {
            return false;
        }
        r->rand = g_rand_new_with_seed(in->seed + plan->rules->len);
    }
    if (!plan->rules->len) {
        error_setg(errp, "faults=%s: there is no section, such as [slow]",
                   in->path);
        return false;
    }
    return true;
}

TdFaultPlan *td_fault_plan_load(const char *path, enum td_protocol protocol,
                                Error **errp)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    Reading in = { .path = path, .protocol = protocol, .file = file };
    TdFaultPlan *plan;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error)) {
        error_setg(errp, "faults=%s: %s", path, error->message);
        return NULL;
    }
    plan = g_new0(TdFaultPlan, 1);
    plan->rules = g_ptr_array_new_with_free_func(free_rule);
    if (!read_plan(&in, plan, errp)) {
        td_fault_plan_free(plan);
        return NULL;
    }
    return plan;
}

void td_fault_plan_free(TdFaultPlan *plan)
{
    if (plan) {
        g_ptr_array_free(plan->rules, true);
        g_free(plan);
    }
}
