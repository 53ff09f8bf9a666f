/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A boot sector that drives a disk through the BIOS: it works through a table
 * of INT 13h calls, old (AH=02h/03h, by cylinder, head and sector) and extended
 * (AH=42h/43h), and tells about each on port E9h, in hexadecimal:
 *
 *     FUNCTION COUNT OFFSET SEGMENT LBA AH CRC32
 *
 * with AH as the BIOS returned it (00 = good) and the crc32 of the buffer
 * afterwards. A read's buffer is filled with EEh before, so that bytes which
 * did not come show. A write writes what an earlier read brought. Then it
 * leaves QEMU through isa-debug-exit at port F4h.
 *
 * Built as a raw 512-byte image; `. = 0` is loaded at 7C00h.
 */
    .code16
    .text
    .globl _start

    .set SECTOR, 512
    .set DEBUGCON, 0xe9
    .set DEBUG_EXIT, 0xf4

_start:
    ljmp $0, $1f
1:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
    cld
    movb %dl, drive
    movw $begin, %si
    call print
    movw $table, %bp

/* %bp: the entry; function, count, offset, segment, LBA. */
next:
    movb 0(%bp), %ah
    testb %ah, %ah
    jz done
    les 2(%bp), %di
    testb $1, %ah
    jnz call_bios               /* 03h, 43h: writes */
    movzbw 1(%bp), %cx
    shlw $8, %cx
    pushw %di
    movw $0xeeee, %ax
    rep stosw
    popw %di

call_bios:
    movb 0(%bp), %ah
    movb drive, %dl
    testb $0x40, %ah
    jnz extended
    /* The tests stay on the first track: sector = LBA + 1. */
    movb 1(%bp), %al
    movw %di, %bx
    movb 6(%bp), %cl
    incw %cx
    xorb %ch, %ch
    xorb %dh, %dh
    jmp int13
extended:
    movb $0, %al
    movb 1(%bp), %cl
    movb %cl, packet_count
    movw %di, packet_buffer
    movw %es, packet_buffer + 2
    movl 6(%bp), %ecx
    movl %ecx, packet_lba
    movw $packet, %si
int13:
    pushw %bp
    int $0x13
    popw %bp
    movb %ah, status

    /* FUNCTION COUNT OFFSET SEGMENT LBA */
    movb $8, %cl
    movzbl 0(%bp), %eax
    call print_hex
    movzbl 1(%bp), %eax
    call print_hex
    movb $16, %cl
    movl 2(%bp), %eax
    pushl %eax
    call print_hex
    popl %eax
    shrl $16, %eax
    call print_hex
    movb $32, %cl
    movl 6(%bp), %eax
    call print_hex
    movb $8, %cl
    movzbl status, %eax
    call print_hex

    /* The CRC of the buffer, zlib's polynomial, bit by bit. */
    les 2(%bp), %di
    movzbw 1(%bp), %cx
    shlw $9, %cx
    movl $-1, %eax
byte:
    xorb %es:(%di), %al
    incw %di
    movb $8, %dl
bit:
    shrl $1, %eax
    jnc 1f
    xorl $0xedb88320, %eax
1:
    decb %dl
    jnz bit
    loop byte
    notl %eax
    movb $32, %cl
    call print_hex
    movb $'\n', %al
    outb %al, $DEBUGCON
    addw $10, %bp
    jmp next

done:
    movw $end, %si
    call print
    movb $0, %al
    outb %al, $DEBUG_EXIT
1:
    hlt
    jmp 1b

/* Print the %cl low bits of %eax as hexadecimal digits, and a space. */
print_hex:
    pushw %cx
1:
    subb $4, %cl
    pushl %eax
    shrl %cl, %eax
    andb $15, %al
    cmpb $10, %al
    sbbb $0x69, %al
    das                         /* 0..15 to '0'..'9', 'A'..'F' */
    outb %al, $DEBUGCON
    popl %eax
    testb %cl, %cl
    jnz 1b
    movb $' ', %al
    outb %al, $DEBUGCON
    popw %cx
    ret

/* Print the string at %si. */
1:
    outb %al, $DEBUGCON
print:
    lodsb
    testb %al, %al
    jnz 1b
    ret

begin:
    .asciz "begin boot sector\n"
end:
    .asciz "end boot sector\n"

    .macro request function, count, address, lba
    .byte \function, \count
    .word (\address) & 0xf, (\address) >> 4
    .long \lba
    .endm

table:
    request 0x02, 1, 0x10000, 1            /* one sector, the old way */
    request 0x42, 8, 0x20000, 2048
    request 0x43, 8, 0x20000, 4096         /* copy them, */
    request 0x42, 8, 0x30000, 4096         /* and read the copy back */
    request 0x42, 127, 0x40000, 5000       /* the largest that all BIOSes take */
    request 0x43, 64, 0x40200, 10000       /* from its second sector on */
    request 0x42, 64, 0x50000, 10000
    request 0x03, 4, 0x40000, 40
    request 0x02, 5, 0x60000, 39
    request 0x42, 3, 0x70002, 3001         /* a word into a paragraph */
    request 0x42, 3, 0x80001, 3001         /* odd: the BIOS must bounce it */
    request 0x42, 1, 0x10000, 0x7fffffff   /* past the end: an error */
    .byte 0

/* The disk address packet (EDD 3.0, 8.1). */
    .balign 4
packet:
    .byte 16, 0
packet_count:
    .word 0
packet_buffer:
    .word 0, 0
packet_lba:
    .quad 0
drive:
    .byte 0
status:
    .byte 0

    .org 510
    .word 0xaa55
