/* See counts.h. */
#include "send/counts.h"

#include <inttypes.h>
#include <stdio.h>

size_t inf_counts_text(const inf_counts *counts, char out[INF_COUNTS_SIZE])
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {
        {"begun", counts->begun},
        {"open", counts->open},
        {"finished", counts->finished},
        {"pending", counts->pending},
        {"queued", counts->queued},
        {"sent", counts->sent},
        {"acknowledged", counts->acknowledged},
        {"set_aside", counts->set_aside},
        {"refused", counts->refused},
        {"adopted", counts->adopted},
        {"interrupted", counts->interrupted},
        {"requests", counts->requests},
        {"retries", counts->retries},
    };
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        int n = snprintf(out + used, INF_COUNTS_SIZE - used, "%s%s=%" PRIu64, i ? "; " : "", members[i].name,
                         members[i].value);
        if (n < 0 || (size_t)n >= INF_COUNTS_SIZE - used)
            break; /* cannot happen: all names and numbers fit */
        used += (size_t)n;
    }
    return used;
}
