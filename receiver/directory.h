/* The data directory as several processes see it: who holds it, and how far the holder has come.
 *
 *   receiver.lock    flock()ed by the one receiver; holds its process id and its address as text
 *   receiver.state   mapped by the receiver and by whoever asks: which journal position was acknowledged last, up to
 *                    which one everything is in the store, and which reload was the last (reload.h) */
#ifndef INF_DIRECTORY_H
#define INF_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct inf_directory_state {
    _Atomic uint64_t magic;    /* set once what an earlier receiver had left is in the store */
    _Atomic uint64_t accepted; /* journal position up to which everything is durable and may have been acknowledged */
    _Atomic uint64_t stored;   /* journal position up to which everything is in the store */
    _Atomic uint64_t reloads_begun, reloads_done; /* 0: this receiver takes none */
} inf_directory_state;

typedef struct inf_directory {
    char path[1024];
    char journal[1100];
    int lock;                   /* file descriptor; -1: not held */
    inf_directory_state *state; /* NULL until inf_directory_share() */
} inf_directory;

/* Makes the directory when `make` is set, and takes the lock. INF_EEXIST: somebody has it; `holder` then says who. */
int inf_directory_take(inf_directory *d, const char *path, bool make, char *holder, size_t holder_size);
/* Maps receiver.state, both positions zero. Whoever asks for what was acknowledged waits until it is ready. */
int inf_directory_share(inf_directory *d);
void inf_directory_ready(inf_directory *d);
/* Notes where the holder listens. */
int inf_directory_announce(inf_directory *d, const char *url);
void inf_directory_release(inf_directory *d);

/* For everybody else: who holds the lock, "PID URL" ("" when that is not said yet). 1; 0 when nobody does; negative on
 * error. */
int inf_directory_holder(const char *data_dir, char *holder, size_t holder_size);
/* The state of the receiver that holds the directory, to read, or NULL; give it back. */
const inf_directory_state *inf_directory_look(const char *data_dir);
void inf_directory_unlook(const inf_directory_state *state);
/* DIR/NAME. 0, or INF_EINVAL when that is too long. */
int inf_directory_join(char *out, size_t size, const char *dir, const char *name);

#endif
