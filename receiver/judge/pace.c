/* See pace.h. */
#include "judge/pace.h"

#define MINUTE_NS 60000000000ull

bool inf_judge_pace_may(const inf_judge_pace *p, uint64_t now_ns, int running)
{
    if (now_ns < p->next_ns || now_ns < p->closed_ns)
        return false;
    return !p->trouble || running == 0;
}

void inf_judge_pace_began(inf_judge_pace *p, uint64_t now_ns)
{
    p->next_ns = now_ns + MINUTE_NS / (uint64_t)p->per_minute;
}

void inf_judge_pace_well(inf_judge_pace *p)
{
    p->failures = p->pauses = 0;
    p->trouble = p->refused = false;
}

static void close_for(inf_judge_pace *p, uint64_t now_ns, uint64_t ns)
{
    uint64_t until = now_ns + (ns < INF_JUDGE_PAUSE_MAX_NS ? ns : INF_JUDGE_PAUSE_MAX_NS);
    if (until > p->closed_ns)
        p->closed_ns = until;
}

static uint64_t growing(unsigned pauses)
{
    uint64_t pause = INF_JUDGE_PAUSE_FIRST_NS;
    while (pauses-- > 0 && pause < INF_JUDGE_PAUSE_MAX_NS)
        pause *= 2;
    return pause;
}

bool inf_judge_pace_failed(inf_judge_pace *p, uint64_t now_ns, enum inf_judge_failure failure, uint64_t rest_ns)
{
    bool was = p->trouble;
    if (was && now_ns < p->closed_ns) { /* of a call that began before the pause: no news */
        close_for(p, now_ns, rest_ns);
        return false;
    }
    if (++p->failures < INF_JUDGE_TROUBLE && failure == INF_JUDGE_NO_ANSWER && !was) {
        close_for(p, now_ns, rest_ns);
        return false;
    }
    close_for(p, now_ns, rest_ns > 0 ? rest_ns : growing(p->pauses));
    p->pauses++;
    p->trouble = true;
    p->refused = failure == INF_JUDGE_UNWANTED;
    return failure == INF_JUDGE_BUSY ? p->pauses == INF_JUDGE_TROUBLE : !was;
}
