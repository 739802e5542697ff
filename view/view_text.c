// The page's style and script: view/view.css and view.js, each with a 0 byte behind it.
#include "view/view_internal.h"

#define EMBEDDED(name, file)                                                                                           \
    __asm__(".section .rodata\n"                                                                                       \
            ".globl " #name "\n" #name ":\n"                                                                           \
            ".incbin \"view/" file "\"\n"                                                                              \
            ".byte 0\n"                                                                                                \
            ".previous\n");

EMBEDDED(VIEW_STYLE, "view.css")
EMBEDDED(VIEW_SCRIPT, "view.js")
