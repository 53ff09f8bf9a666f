/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way in: from a PVH boot in 32-bit protected mode to main() in long mode. */

/*
 * QEMU's -kernel finds the entry point in this ELF note (Xen's x86/HVM direct
 * boot ABI): 32-bit flat protected mode, paging off, EBX = hvm_start_info.
 */
        .section .note.pvh, "a", @note
        .balign 4
        .long 4                         /* size of the name */
        .long 8                         /* size of the description */
        .long 18                        /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .quad start

#define PAGE_TABLE      0x03            /* present, writable */
#define LARGE_PAGE      0x83            /* the same, 2 MiB */
#define CR0_PG_WP_PE    0x80010001
#define CR4_PAE         0x20
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100

        .section .text.start, "ax"
        .code32
        .globl start
start:
        cld
        mov     $stack_top, %esp

        /* Identity map of the first 4 GiB: 2048 pages of 2 MiB. */
        mov     $directories, %edi
        mov     $LARGE_PAGE, %eax
        mov     $2048, %ecx
1:      mov     %eax, (%edi)
        movl    $0, 4(%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    1b

        mov     $directories + PAGE_TABLE, %eax
        mov     $pointers, %edi
        mov     $4, %ecx
2:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    2b

        movl    $pointers + PAGE_TABLE, level4
        mov     $level4, %eax
        mov     %eax, %cr3

        mov     $CR4_PAE, %eax
        mov     %eax, %cr4
        mov     $MSR_EFER, %ecx
        mov     $EFER_LME, %eax
        xor     %edx, %edx
        wrmsr
        mov     $CR0_PG_WP_PE, %eax
        mov     %eax, %cr0

        lgdt    gdt_pointer
        ljmp    $8, $long_mode

        .code64
long_mode:
        mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $stack_top, %rsp
        xor     %ebp, %ebp              /* ends the chain of frame pointers */
        mov     %ebx, %edi
        call    main
3:      cli
        hlt
        jmp     3b

        .section .rodata
        .balign 8
gdt:    .quad 0
        .quad 0x00209a0000000000        /* 8: 64-bit code */
        .quad 0x0000920000000000        /* 16: data */
gdt_pointer:
        .word . - gdt - 1
        .quad gdt

        .bss
        .balign 4096
level4: .skip 4096
pointers:
        .skip 4096
directories:
        .skip 4 * 4096
        .skip 16384
stack_top:

        .section .note.GNU-stack, "", @progbits
