/* A disk that forgets: everything below one directory behaves as on a machine that may lose its power at any call.
 *
 * The real files hold what the page cache would hold. Beside them is remembered what is durable: of a file its bytes at
 * its last successful fdatasync() or fsync(), of a directory its names at its last fsync(). disk_crash() builds in
 * another directory what a crash at this moment may leave: of each page of 4 KiB that has changed since, the old or the
 * new state, or a mixture by sectors of 512 bytes; of each name that was made, changed or removed since, the one or the
 * other; of a size that has changed, the old, the new or one between. All of it by seed.
 *
 * One thread. Installed over inf_os, once. */
#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Watches `root`, an existing empty directory that is durable itself. disk_forget() ends that. */
void disk_watch(const char *root);
void disk_forget(void);

/* At the call number `call` from now (of those that change or sync anything) the state is frozen: the crash. `on_crash`
 * is called there, once. */
void disk_crash_at(uint64_t call, void (*on_crash)(void *context), void *context);

/* Builds the image in `image`, an existing empty directory. */
void disk_image(const char *image, uint64_t seed);

/* One in `one_in` syncs fails with EIO; 0: none. Every other time what pwritev() had written since the last one is gone
 * from the file, and no later sync brings it back. */
void disk_fail_syncs(unsigned one_in, uint64_t seed);

#endif
