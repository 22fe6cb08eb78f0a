/* Puts the file into the program as it is; the assembler reads it. INF_PRICES_FILE is its path. */
#include "cost/builtin.h"

__asm__(".section .rodata\n"
        ".global inf_prices_builtin\n"
        ".global inf_prices_builtin_end\n"
        "inf_prices_builtin:\n"
        ".incbin \"" INF_PRICES_FILE "\"\n"
        "inf_prices_builtin_end:\n"
        ".byte 0\n"
        ".previous\n");
