/* Who makes a change, for the audit log. */
#ifndef INF_AUTH_ACTOR_H
#define INF_AUTH_ACTOR_H

typedef struct inf_actor {
    char who[80];    /* "key 1f0c...", "session", "command line (alice)" */
    char origin[64]; /* an address, or "local" */
} inf_actor;

/* Whoever runs this process. */
void inf_actor_local(inf_actor *actor);

#define INF_OVERLAP_DEFAULT_S 86400u      /* after a rotation, when nothing else was said */
#define INF_OVERLAP_MAX_S 7776000u        /* 90 days */
#define INF_KEY_LIFETIME_MAX_S 315360000u /* ten years */

#endif
