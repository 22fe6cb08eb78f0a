/* Commands on one agent, key or prompt, which its id names: `infinium agent rotate UUID`. */
#ifndef INF_CLI_SUBJECT_H
#define INF_CLI_SUBJECT_H

#include "auth/actor.h"
#include "options.h"
#include "store/store.h"

typedef struct cli_subject {
    const char *text; /* the id as it was given */
    uint8_t id[16];
    char uuid[37];
    inf_store *store; /* open for writing */
    const char *dir;
    inf_actor actor;  /* whoever runs this */
    unsigned overlap; /* of a rotation: seconds that what was there is good for */
    bool json;
    void *context;
} cli_subject;

/* Reads the id (a usage error "'...' is `wrong_id`" where it is none), opens the store, and runs `work`, which returns
 * the exit code. */
int cli_on_subject(cli_subject *s, const cli_syntax *syntax, const char *data, const char *wrong_id,
                   int (*work)(cli_subject *s));

/* What agents, keys and prompts differ in. */
typedef struct cli_subject_command {
    const char *command, *about, *examples;
    const char *noun;     /* "agent" */
    const char *wrong_id; /* "no agent id (a UUID)" */
} cli_subject_command;

/* A command that takes the id and nothing else. */
int cli_subject_alone(const cli_subject_command *c, int argc, char **argv, int (*work)(cli_subject *s), void *context);
int cli_rotate(const cli_subject_command *c, int argc, char **argv, int (*work)(cli_subject *s));
int cli_revoke(const cli_subject_command *c, int argc, char **argv,
               int (*revoke)(inf_store *store, const inf_actor *actor, const uint8_t id[16]));

#endif
