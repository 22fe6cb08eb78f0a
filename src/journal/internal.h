/* What the files of this room share: the bytes of a segment, the journal's structure, and who may touch what.
 *
 * Locks. `lock` guards everything marked (L). It is held across the creation of a segment (whoever waits for it then
 * needs that segment), but not across fdatasync, munmap or unlink. `sync_lock` serialises syncs and is taken before
 * `lock`. Members marked (R) belong to the reader's thread. What is marked (L, R) is written by the reader under
 * `lock`, read by the reader without and by others with it. */
#ifndef INF_JOURNAL_INTERNAL_H
#define INF_JOURNAL_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/crc32c.h"
#include "journal/journal.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "segments are little-endian and are read and written in place"
#endif

/* ---- the bytes (docs/journal-format.md) ---- */

#define SEGMENT_MAGIC 0x314745534a464e49u        /* "INFJSEG1" */
#define SEGMENT_MAGIC_FAMILY 0x00ffffffffffffffu /* "INFJSEG" */
#define SEGMENT_VERSION 1u
#define SEGMENT_HEADER 4096u
#define SEGMENT_MIN 8192u
#define SEGMENT_MAX (1u << 30)
#define SEGMENTS_MAX 65536u    /* in one log */
#define RECYCLE_MAX (4u << 20) /* larger segments are deleted: to clear them costs more than to make new ones */
#define AHEAD_MAX 8u           /* segments that are prepared, and spares that are kept, while much is appended */
#define SPARES_IDLE 2u         /* spares that are kept otherwise */
#define SPARES AHEAD_MAX
#define MAPPED_MAX 3u      /* full ones that may wait for housekeeping before a producer gives them back */
#define STOCK 0xffff0000u  /* spares that have never been part of the log are named from this number on */
#define FOLIO (128u << 10) /* written at once, so that it becomes one piece of the page cache, and mapped so */
#define POPULATE_AHEAD (1u << 20)
#define FILL_AT_ONCE (1u << 20)  /* when a segment is made */
#define FILL_STEP (256u << 10)   /* of the next one, under one hold of the lock */
#define FILL_DIRECT (512u << 10) /* of a staged one, past the page cache */
#define RECORD_MAGIC 0x4a52u
#define RECORD_HEADER 16u
#define RECORD_END 255u /* type of the mark that seals a segment */

struct segment_header {
    _Atomic uint64_t magic; /* 0 while the file is being recycled */
    uint32_t version;
    uint32_t segment_bytes;
    uint64_t writer_id;
    uint32_t number;
    uint32_t crc; /* of the 28 bytes before it */
    uint8_t unused[32];
    _Atomic uint64_t acked; /* everything before this offset is done with; its complement in the upper half */
};

static inline uint64_t acked_word(uint32_t offset)
{
    return (uint64_t)~offset << 32 | offset;
}

/* The first word of a record, the one that publishes it. */
static inline uint64_t record_word(uint8_t type, uint32_t length)
{
    return RECORD_MAGIC | (uint64_t)type << 16 | (uint64_t)length << 32;
}

static inline bool word_has_magic(uint64_t word)
{
    return (word & 0xff00ffffu) == RECORD_MAGIC;
}

static inline uint8_t word_type(uint64_t word)
{
    return (uint8_t)(word >> 16);
}

static inline uint32_t word_length(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* Bytes that a record takes, header and padding included. */
static inline uint64_t record_size(uint64_t length)
{
    return (RECORD_HEADER + length + 7) & ~(uint64_t)7;
}

static inline _Atomic uint64_t *word_at(uint8_t *base, uint32_t offset)
{
    return (_Atomic uint64_t *)(void *)(base + offset);
}

/* The CRC-32C of where a record is and of its first word; its payload follows. Because the place is in it, neither the
 * bytes of a recycled segment nor a payload that holds a copy of a record ever check out. */
static inline void record_place(uint64_t place[3], uint64_t writer_id, uint32_t number, uint32_t offset, uint64_t word)
{
    place[0] = writer_id;
    place[1] = word;
    place[2] = (uint64_t)number << 32 | offset;
}

static inline uint32_t record_crc(uint64_t writer_id, uint32_t number, uint32_t offset, uint64_t word)
{
    uint64_t place[3];
    record_place(place, writer_id, number, offset, word);
    return inf_crc32c(0, place, sizeof(place));
}

/* ---- positions: index of the segment in this log, byte offset in it ---- */

static inline inf_position position_of(uint32_t index, uint32_t offset)
{
    return (uint64_t)index << 32 | offset;
}

static inline uint32_t position_index(inf_position position)
{
    return (uint32_t)(position >> 32);
}

static inline uint32_t position_offset(inf_position position)
{
    return (uint32_t)position;
}

/* ---- structures ---- */

/* One segment of the log. Lives in a ring that is never freed while the journal is open, so a producer may look at the
 * slot of a segment that has gone. */
struct segment {
    uint8_t *base;           /* (L) NULL: not mapped. Producers read it too: it cannot change under a reservation. */
    uint32_t number;         /* (L) in the file's name and in each CRC; equal to the index but in an adopted log */
    uint32_t limit;          /* (L) bytes that are there: the segment's size, or less when the file was cut */
    uint32_t start;          /* (L) where reading starts; past the header only in an adopted log */
    uint32_t populated;      /* (L) bytes whose pages have been made present */
    uint32_t filled;         /* (L) bytes that were written with zeros, or as records, through the file */
    uint32_t released;       /* (L) bytes whose pages were given back */
    int fd;                  /* (L) -1: not open */
    unsigned pins;           /* (L) syncs that use fd */
    bool staged;             /* (L) but for the header `base` is memory, from where sync.c writes it into the file */
    bool in_memory;          /* (L) has no file, for it was made before there was a directory, or there is none */
    bool damaged;            /* (L) it can no longer be told whether a producer is still writing into it */
    _Atomic uint32_t sealed; /* offset of the end once no record can be added, else 0 */
    _Atomic uint32_t done;   /* the reader has passed the end: acknowledged so far, the segment is done with; else 0 */
};

struct inf_journal {
    /* What producers touch. */
    _Atomic uint64_t reserve; /* index of the current segment << 32 | next free place in units of 8 bytes */
    struct segment *ring;
    uint32_t ring_mask;
    uint32_t segment_bytes;
    uint64_t writer_id;
    _Atomic bool full; /* written under `lock`: there is no segment to be had until one is retired */

    char gap[64]; /* what follows changes often and shares no cache line with what producers read */
    pthread_mutex_t lock;
    uint32_t first;                /* (L) lowest index that exists */
    uint32_t last;                 /* (L) the current segment (live), the last one (adopted) */
    uint32_t max_segments;         /* files or mappings that may exist, next and spare included */
    uint32_t next_count;           /* (L) slots from last + 1 on that are prepared */
    uint32_t wanted;               /* (L) how many are to be */
    uint32_t seen_last;            /* (L) `last` when housekeeping last looked */
    uint64_t rolled_at_ns;         /* (L) monotonic: when it last saw it change */
    uint32_t trimmed_last;         /* (L) `last` when what is full was last given back */
    uint32_t stock_number;         /* (L) */
    bool move;                     /* (L) segments in memory are to go into files ... */
    uint64_t move_at_ns;           /* (L) ... but not before: monotonic */
    struct segment spares[SPARES]; /* (L) retired, mapped, to be recycled; `sealed` is 0 once it is cleared */
    uint32_t spare_count;          /* (L) */
    uint32_t clearing;             /* (L) spares that are not in the list: being made or cleared */
    uint32_t walk_index;           /* (L) everything before this place is published ... */
    uint32_t walk_offset;          /* (L) */
    uint64_t walked;               /* (L) ... and holds so many records */
    _Atomic uint64_t refused_full;
    uint64_t refused;     /* (L) for other reasons */
    int create_error;     /* (L) why the last segment could not be made */
    uint64_t retry_at_ns; /* (L) monotonic: not to be tried again before */
    bool dir_changed;     /* (L) names in the directory changed since its last fsync */

    uint32_t read_index;        /* (L, R) */
    uint32_t read_offset;       /* (R) */
    uint8_t *read_base;         /* (R) NULL: look it up */
    inf_position returned;      /* (R) the end of the furthest record handed out */
    inf_position skip_mark;     /* (R) what was skipped before this place has been counted */
    _Atomic inf_position acked; /* written by the reader */
    _Atomic uint64_t skipped;

    pthread_mutex_t sync_lock;
    _Atomic inf_position synced; /* everything before is durable */
    bool sync_failed;            /* (sync_lock) */
    bool parent_synced;          /* (sync_lock) */

    bool adopted;
    bool staged;
    atomic_bool in_files; /* may become true: inf_journal_attach() */
    int lock_fd;          /* -1: no files */
    char path[PATH_MAX];
};

static inline struct segment *segment_at(const inf_journal *j, uint32_t index)
{
    return &j->ring[index & j->ring_mask];
}

static inline struct segment_header *segment_header(const struct segment *s)
{
    return (struct segment_header *)(void *)s->base;
}

static inline uint32_t reserve_index(uint64_t reserve)
{
    return (uint32_t)(reserve >> 32);
}

static inline uint64_t reserve_offset(uint64_t reserve)
{
    return (uint64_t)(uint32_t)reserve * 8;
}

static inline uint64_t reserve_of(uint32_t index, uint32_t offset)
{
    return (uint64_t)index << 32 | offset / 8;
}

/* ---- segment.c: files and mappings ---- */

/* Prepares the slot after those that are prepared: from a spare, or new. With `lock` held. */
int segment_prepare_next(inf_journal *j);

/* Gives a segment in memory that nobody writes to any more its file, at the same address. With `lock` held. */
int segment_to_file(inf_journal *j, struct segment *s);

/* Gives the last of the prepared ones up: to the spares, or (true) into `out`, to be dropped and its file deleted. With
 * `lock` held. */
bool segment_unprepare(inf_journal *j, struct segment *out);

/* Writes what is at `from` to `upto` of a staged segment into its file; whole pages, zeros past the end. The segment is
 * pinned. */
int segment_write(const struct segment *s, uint32_t from, uint32_t upto);

/* Makes a cleared spare. Without any lock, so that producers need not wait; `number` is for its name. */
int segment_make_spare(inf_journal *j, uint32_t number, struct segment *out);

/* Zeroes what a retired segment held, magic first. Without any lock: it is out of the log and out of the list of
 * spares. */
void segment_clear(struct segment *s);

/* The pages from `from` on were just written to the disk, so the next store into each of them traps, page by page:
 * lets go of the mapping of all of them, so that one trap brings many. With `lock` held. */
void segment_refresh(struct segment *s, uint32_t from);

/* Maps an existing file for reading (and for the acknowledged offset). With `lock` held. */
int segment_map(inf_journal *j, struct segment *s);

/* Writes zeros over a file's part that has none yet, up to `upto`. The segment must not be in use yet. With `lock`
 * held.
 */
void segment_fill(struct segment *s, uint32_t upto);

/* Makes pages present up to `upto`. With `lock` held. */
void segment_populate(struct segment *s, uint32_t upto);

/* Writes "<dir>/<number>.seg" into `out`. 0, or INF_E2BIG. */
int segment_path(const inf_journal *j, uint32_t number, char out[PATH_MAX]);

/* Unmaps and closes; `s` is a copy taken out of the ring, so no lock is needed. */
void segment_drop(struct segment *s);
void segment_unlink(const inf_journal *j, uint32_t number);

/* True when the header belongs to this segment. */
bool segment_header_valid(const struct segment_header *header, uint64_t writer_id, uint32_t number);

/* True when the header is whole and of another version of the format. Every version begins with these 32 bytes. */
bool segment_header_foreign(const struct segment_header *header);

/* ---- append.c ---- */

void seal(inf_journal *j, struct segment *s, uint32_t offset);

/* ---- read.c ---- */

enum found { FOUND_RECORD, FOUND_NOTHING, FOUND_END, FOUND_DAMAGE };

/* What is at `offset` of a segment that has `limit` bytes. Checks the CRC. */
enum found record_look(uint64_t writer_id, uint32_t number, uint8_t *base, uint32_t limit, uint32_t offset,
                       uint64_t *word);

/* Moves *offset over what is published of a segment, up to a gap, and counts records. True: to the end, and none can
 * be added. Marks the segment where it cannot be followed. With `lock` held. */
bool segment_follow(struct segment *s, uint32_t *offset, uint64_t *count);

/* Moves the walk over what has been published. With `lock` held. */
void walk_advance(inf_journal *j);

/* The acknowledged place; at the end of a segment that is done, the start of the next one. Any thread. */
inf_position acked_settled(const inf_journal *j);

/* Gives back mappings that nobody needs, and segments that are acknowledged. Takes `lock`. */
void segments_trim(inf_journal *j);

/* ---- dir.c: the directory of a writer and its lock ---- */

#define WRITER_NAME 18 /* "w-" and 16 digits */

bool writer_name_parse(const char *name, uint64_t *id);
bool segment_name_parse(const char *name, uint32_t *number);

/* 0 when `path` is a directory of this user, INF_EACCES when it is somebody else's. */
int directory_check(const char *path);

/* Makes "<dir>/w-<id>" with its lock held, with writer_id as the id unless that is 0; fills path, writer_id, lock_fd.
 */
int writer_create(inf_journal *j, const char *dir);

/* Takes the lock of an existing writer. 1 and *fd; 0 when it lives or has gone; negative on error. */
int writer_lock(const char *path, int *fd);

/* Gives the lock back, also where a child that has not run inf_journal_after_fork() yet shares it. */
void writer_release(inf_journal *j);

/* Removes the lock file and the directory, then gives the lock back. */
void writer_remove(inf_journal *j);

/* The segment numbers in a writer's directory, ascending; free *numbers with inf_os.free. */
int writer_list(const char *path, uint32_t **numbers, uint32_t *count);

/* ---- journal.c ---- */

/* The directory's path from the root, so that it stays the same when the process changes its directory. */
int journal_absolute(const char *dir, char out[PATH_MAX]);

inf_journal *journal_new(uint32_t segment_bytes, uint32_t max_segments);
void journal_free(inf_journal *j);

#endif
