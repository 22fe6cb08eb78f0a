/* The crash-safe log under both ends: the client appends traces, the receiver appends what it accepted.
 *
 * A journal directory holds writers: one sub-directory per writer (a process, between forks), locked by its owner with
 * flock(), holding numbered fixed-size segment files. Many threads append without a lock; one reader follows. What a
 * process wrote survives its death (page cache); what was synced survives the machine's. docs/journal-format.md draws
 * the bytes. This room gives record types no meaning and never looks into a payload.
 *
 *   DIR/                       0700
 *     w-<16 hex digits>/       0700  one writer
 *       lock                   0600  flock held while the writer lives
 *       00000001.seg ...       0600
 */
#ifndef INF_JOURNAL_JOURNAL_H
#define INF_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct inf_journal inf_journal;

/* A place in one writer's log: segment number in the high, byte offset in the low 32 bits. Grows monotonically. */
typedef uint64_t inf_position;

typedef struct inf_journal_options {
    const char *dir;        /* NULL: keep no files (anonymous memory, same code) */
    uint32_t segment_bytes; /* 0: 1 MiB; 8 KiB to 1 GiB. A record holds at most segment_bytes - 4112 bytes. */
    uint64_t max_bytes;     /* all segments of this writer together; 0: 256 MiB */
    bool staged;            /* with dir: records reach their file with inf_journal_sync(), and not before */
} inf_journal_options;

typedef struct inf_record {
    uint8_t type;
    uint32_t length;
    const uint8_t *payload; /* valid until the position is acknowledged or the journal closed */
    inf_position position;  /* just past this record: what to acknowledge */
    inf_position origin;    /* the same place as its writer counted it; differs from position in an adopted log */
} inf_record;

/* Opens a new writer in options->dir (made, 0700, with parents, when missing). 0, or a negative INF_E... */
int inf_journal_open(inf_journal **out, const inf_journal_options *options);

/* A journal that was opened without a directory gets one: from now on records go into files there, and those that are
 * in memory follow with the next calls of inf_journal_maintain(), as they are. By the reader's thread, which must be
 * the one that maintains. 0; INF_EINVAL when it has a directory; a negative error when nothing has changed. */
int inf_journal_attach(inf_journal *j, const char *dir);

/* Appends one record made of two parts (either may be empty). Any thread. No lock, allocation or system call except
 * when a segment fills before inf_journal_maintain() has prepared the next. Returns 0 and, when `end` is not NULL, the
 * position just past the record; INF_EFULL when max_bytes is reached, INF_E2BIG, INF_EINVAL (type 255), INF_ENOSPC,
 * INF_EIO ..., INF_ECLOSED (an adopted log) when nothing was written. */
int inf_journal_append(inf_journal *j, uint8_t type, const void *head, size_t head_length, const void *body,
                       size_t body_length, inf_position *end);

/* Makes everything appended before this call durable (fdatasync of each touched segment). Any thread; may block. When
 * it fails, nothing is known of what was appended since the last success; the next call tries all of that again.
 * INF_ETIMEDOUT: of a staged log, a thread has been inside of inf_journal_append() for two seconds. */
int inf_journal_sync(inf_journal *j);

/* Housekeeping, off the hot path, by one background thread: prepares (allocates, pre-faults) the next segment. */
int inf_journal_maintain(inf_journal *j);

/* True when the next segment is due and not prepared: time to call inf_journal_maintain(). Any thread; never waits. */
bool inf_journal_wants_maintenance(inf_journal *j);

/* The largest payload that a record of this journal can have. */
size_t inf_journal_max_record(const inf_journal *j);

/* The reader: one thread. Returns 1 and fills `out`, 0 when nothing more is there yet, negative on error. Skips what
 * does not check out (hole of a dead writer, damage) and counts it. */
int inf_journal_next(inf_journal *j, inf_record *out);
/* Moves the reading place back to the last acknowledged position (after a failed send). */
void inf_journal_rewind(inf_journal *j);
/* Everything before `upto` (the position of a record that inf_journal_next() returned) is done with: persists the
 * cursor, recycles or deletes segments that are done. By the reader's thread. INF_EINVAL beyond what was returned. */
int inf_journal_ack(inf_journal *j, inf_position upto);

/* Where the next inf_journal_next() looks; the reader's thread. Everything before has been returned or skipped. When
 * nothing more is found this may still be before the tail: at a record that another thread is just writing. */
inf_position inf_journal_reading(const inf_journal *j);

/* Where the next record would go, and what is acknowledged. Any thread. */
inf_position inf_journal_tail(const inf_journal *j);
inf_position inf_journal_acked(const inf_journal *j);

typedef struct inf_journal_stats {
    uint64_t bytes;         /* segments on disk or in memory */
    uint64_t appended;      /* records */
    uint64_t refused_full;  /* appends, because of max_bytes */
    uint64_t refused_error; /* appends, because no segment could be made (no space, an I/O error ...) */
    uint64_t skipped;       /* damaged or unfinished stretches passed over by the reader */
} inf_journal_stats;
void inf_journal_get_stats(const inf_journal *j, inf_journal_stats *out);

/* Takes over one dead writer's log in `dir` for reading (next, ack as above; append refuses). 1 and *out when there
 * was one, 0 when there is none, negative on error: INF_EVERSION when the only ones that are left were written in
 * another version of the format, which are left alone. Never touches a writer that lives, in this process or another.
 */
int inf_journal_adopt(inf_journal **out, const char *dir);

/* Looks at all writers in `dir`, living and dead, from any process, without a lock: adds up the records that are
 * appended and not acknowledged. Exact while nobody writes; a hint otherwise. 0 (also when there is no such directory)
 * or a negative error, with what could be counted in *pending. */
int inf_journal_peek(const char *dir, uint64_t *pending);

/* Gives the lock back. When everything is acknowledged the writer's directory is deleted, else it is left for
 * adoption. Appending threads must be done. */
void inf_journal_close(inf_journal *j);

/* In a child after fork(): frees the child's copy of the parent's journal without touching its files or its lock. Must
 * be called before the child appends anything; `j` is gone afterwards. NULL is allowed. */
void inf_journal_after_fork(inf_journal *j);

#endif
