// The page's style and script: figures/page.css and page.js, each with a 0 byte behind it.
#include "figures/page_internal.h"

#define EMBEDDED(name, file)                                                                                           \
    __asm__(".section .rodata\n"                                                                                       \
            ".globl " #name "\n" #name ":\n"                                                                           \
            ".incbin \"figures/" file "\"\n"                                                                           \
            ".byte 0\n"                                                                                                \
            ".previous\n");

EMBEDDED(PAGE_STYLE, "page.css")
EMBEDDED(PAGE_SCRIPT, "page.js")
