/* Keeping the store in order while others use it: its log is moved into the database, what is too old or too much is
 * deleted, dictionaries are trained. One thread with a store handle of its own, in small steps, behind everybody else.
 */
#ifndef INF_UPKEEP_H
#define INF_UPKEEP_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct inf_upkeep inf_upkeep;

/* Read each time they are needed: may be changed by any thread. */
typedef struct inf_upkeep_limits {
    _Atomic int64_t days;  /* traces that began earlier are deleted; 0: none */
    _Atomic int64_t bytes; /* the oldest are deleted while the store takes more; 0: none */
} inf_upkeep_limits;

int inf_upkeep_start(inf_upkeep **out, const char *data_dir, inf_upkeep_limits *limits);
/* Ends within the step that is being done (training a dictionary takes seconds). NULL is allowed. */
void inf_upkeep_stop(inf_upkeep *upkeep);

#endif
