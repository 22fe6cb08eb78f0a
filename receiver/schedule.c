/* See schedule.h. */
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schedule.h"

enum { TURN_NS = 100000 }; /* the shortest there is */

/* struct sched_attr of the kernel, which the C library does not declare. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void inf_schedule_short_turns(void)
{
    struct attributes now = {0};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != 0)
        return; /* whoever started us has chosen something else */
    now.size = sizeof now;
    now.runtime_ns = TURN_NS;
    (void)syscall(SYS_sched_setattr, 0, &now, 0);
}
