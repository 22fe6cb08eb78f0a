/* See mask.h.
 *
 * Every secret that is known here has, at or near its beginning, one of nine characters (": = - _ J K B b z"). The text
 * is searched for those, 64 bytes at a time (mask_scan.c); only there is looked closer. A text without them, which is
 * most small ones, costs a few nanoseconds. */
#include "model/mask.h"

#include <stdint.h>
#include <string.h>

#include "model/mask_scan.h"

#define MARK_LENGTH (sizeof(INF_MASKED) - 1)
#define NAME_MAX_LENGTH 64
#define URL_USER_MAX 512 /* bytes between :// and @ */
#define DECIDE 512       /* bytes of a run by which it is told whether it is a key: keeps the whole linear */
#define GAP 512          /* bytes by which the rest moves at once when a mark is longer than its secret */

typedef struct span {
    size_t from, to;
} span;

typedef struct reader {
    const char *text;
    size_t floor; /* before this there is nothing to look at */
    size_t length;
    bool cut;
} reader;

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool is_alnum(char c)
{
    return is_letter(c) || is_digit(c);
}

static inline bool is_word(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Candidates ---------------------------------------------------------------------------------------------------------
 */

#define AT_ONCE 64 /* blocks that are searched together */

/* Where the search is: blocks that have been searched, and the candidates of the present one that are still to come. */
typedef struct candidates {
    size_t from; /* the first of the blocks */
    unsigned block, blocks;
    uint64_t left;
    uint64_t found[AT_ONCE];
} candidates;

/* Searches from `at` on, as far as it does at once; `room` bytes may be read, `length` of them count. */
static void search_from(candidates *c, const char *text, size_t at, size_t length, size_t room)
{
    c->from = at;
    c->block = c->blocks = 0;
    c->left = 0;
    if (at >= length)
        return;
    size_t blocks = (length - at + INF_MASK_BLOCK - 1) / INF_MASK_BLOCK;
    size_t whole = (room - at - 1) / INF_MASK_BLOCK; /* the search reads one byte more */
    if (blocks > AT_ONCE)
        blocks = AT_ONCE;
    if (whole == 0) { /* no more than a block can be read */
        char end[INF_MASK_BLOCK + 1] = {0};
        memcpy(end, text + at, length - at);
        inf_mask_scan(end, 1, c->found);
    } else {
        if (blocks > whole)
            blocks = whole;
        inf_mask_scan(text + at, blocks, c->found);
    }
    c->blocks = (unsigned)blocks;
    size_t last = length - at - INF_MASK_BLOCK * (blocks - 1);
    if (last < INF_MASK_BLOCK)
        c->found[blocks - 1] &= ((uint64_t)1 << last) - 1;
    c->left = c->found[0];
}

/* The place of the next candidate, or `length` when there is none. */
static inline size_t next_candidate(candidates *c, const char *text, size_t length, size_t room)
{
    while (c->left == 0) {
        if (++c->block < c->blocks) {
            c->left = c->found[c->block];
            continue;
        }
        if (c->blocks == 0)
            return length;
        search_from(c, text, c->from + INF_MASK_BLOCK * (size_t)c->blocks, length, room);
    }
    size_t at = c->from + INF_MASK_BLOCK * (size_t)c->block + (unsigned)__builtin_ctzll(c->left);
    c->left &= c->left - 1;
    return at;
}

/* Names --------------------------------------------------------------------------------------------------------------
 */

static inline bool starts(const char *text, size_t length, const char *with, size_t count)
{
    return length >= count && memcmp(text, with, count) == 0;
}
#define STARTS(text, length, literal) starts((text), (length), "" literal, sizeof(literal) - 1)
#define IS(text, length, literal) ((length) == sizeof(literal) - 1 && STARTS(text, length, literal))

bool inf_mask_name(const char *name, size_t length)
{
    if (length > NAME_MAX_LENGTH) {
        name += length - NAME_MAX_LENGTH;
        length = NAME_MAX_LENGTH;
    }
    char plain[NAME_MAX_LENGTH];
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        if (name[i] != '_' && name[i] != '-')
            plain[n++] = lower(name[i]);
    if (n < 3)
        return false;
    if (IS(plain, n, "auth"))
        return true;
    for (size_t i = 0; i + 3 <= n; i++) {
        const char *p = plain + i;
        size_t left = n - i;
        switch (*p) {
        case 'a':
            if (STARTS(p, left, "apikey") || STARTS(p, left, "accesskey") || STARTS(p, left, "accountkey") ||
                STARTS(p, left, "authorization"))
                return true;
            break;
        case 'c':
            if (STARTS(p, left, "credential") || IS(p, left, "cookie") || IS(p, left, "cookies"))
                return true;
            break;
        case 'j':
            if (IS(p, left, "jwt"))
                return true;
            break;
        case 'p':
            if (STARTS(p, left, "password") || STARTS(p, left, "passwd") || STARTS(p, left, "passphrase") ||
                STARTS(p, left, "passcode") || STARTS(p, left, "privatekey") || IS(p, left, "pwd"))
                return true;
            break;
        case 's':
            if ((STARTS(p, left, "secret") && !STARTS(p, left, "secretar")) || STARTS(p, left, "signingkey"))
                return true;
            break;
        case 't':
            if (IS(p, left, "token")) /* "tokens" is a count, here of all places */
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}

/* Values -------------------------------------------------------------------------------------------------------------
 */

/* Where the literal that opens at `open` ends: its closing quote, or the end of the text. The quote may itself be
 * escaped, when the text is a literal inside another one. */
static size_t literal_end(const reader *r, size_t open)
{
    size_t outer = 0;
    while (open > r->floor + outer && r->text[open - 1 - outer] == '\\')
        outer++;
    size_t at = open + 1;
    while (at < r->length) {
        const char *found = memchr(r->text + at, r->text[open], r->length - at);
        if (!found)
            break;
        size_t quote = (size_t)(found - r->text), escapes = 0;
        while (quote > at + escapes && r->text[quote - 1 - escapes] == '\\')
            escapes++;
        if (outer ? escapes <= outer : escapes % 2 == 0)
            return quote - (outer < escapes ? outer : outer ? escapes : 0);
        at = quote + 1;
    }
    return r->length;
}

/* Past the bracket that closes the one at `open`. */
static size_t brackets_end(const reader *r, size_t open)
{
    size_t depth = 0, at = open;
    while (at < r->length) {
        switch (r->text[at]) {
        case '(':
        case '[':
        case '{':
            depth++;
            break;
        case ')':
        case ']':
        case '}':
            if (--depth == 0)
                return at + 1;
            break;
        case '\'':
        case '"':
            at = literal_end(r, at);
            break;
        default:
            break;
        }
        at++;
    }
    return r->length;
}

/* Past a value without quotes: to the next space or delimiter, brackets and what is in them included. */
static size_t bare_end(const reader *r, size_t at)
{
    while (at < r->length) {
        switch (r->text[at]) {
        case ' ':
        case '\t':
        case '\n':
        case '\r':
        case '\\':
        case ',':
        case ';':
        case '&':
        case ')':
        case ']':
        case '}':
        case '\'':
        case '"':
        case '`':
        case '<':
            return at;
        case '(':
        case '[':
        case '{':
            return brackets_end(r, at);
        default:
            at++;
        }
    }
    return at;
}

static size_t line_end(const reader *r, size_t at)
{
    while (at < r->length && r->text[at] != '\n' && r->text[at] != '\\' && r->text[at] != '\'' && r->text[at] != '"')
        at++;
    return at;
}

static bool says_nothing(const char *value, size_t length)
{
    return length == 0 || IS(value, length, "None") || IS(value, length, "True") || IS(value, length, "False") ||
           IS(value, length, "null") || IS(value, length, "true") || IS(value, length, "false");
}

/* Basic, Bearer ...: the word before the credentials of an HTTP header. */
static bool is_scheme(const char *word, size_t length)
{
    char plain[12];
    if (length < 5 || length > sizeof plain)
        return false;
    for (size_t i = 0; i < length; i++)
        plain[i] = lower(word[i]);
    return IS(plain, length, "basic") || IS(plain, length, "bearer") || IS(plain, length, "token") ||
           IS(plain, length, "digest") || IS(plain, length, "apikey") || IS(plain, length, "negotiate");
}

/* The value that begins after a separator. False: there is none, or none worth masking. */
static bool find_value(const reader *r, size_t at, bool whole_line, span *out)
{
    const char *text = r->text;
    size_t spaces = at + 3 < r->length ? at + 3 : r->length;
    while (at < spaces && text[at] == ' ')
        at++;
    while (at < r->length && text[at] == '\\') /* a literal inside another one */
        at++;
    if (at + 1 < r->length && (text[at] == 'b' || text[at] == 'u') && (text[at + 1] == '\'' || text[at + 1] == '"'))
        at++;
    if (at >= r->length)
        return false;
    if (text[at] == '\'' || text[at] == '"') {
        out->from = at + 1;
        out->to = literal_end(r, at);
        return out->to > out->from;
    }
    out->from = at;
    if (text[at] == '<') {
        const char *end = memchr(text + at, '>', r->length - at);
        out->to = end ? (size_t)(end - text) + 1 : r->length;
        return true;
    }
    if (whole_line && text[at] != '{' && text[at] != '[' && text[at] != '(')
        out->to = line_end(r, at);
    else
        out->to = bare_end(r, at);
    if (out->to < r->length && text[out->to] == ' ' && is_scheme(text + at, out->to - at)) {
        size_t end = bare_end(r, out->to + 1);
        if (end > out->to + 1)
            out->to = end;
    }
    return !says_nothing(text + out->from, out->to - out->from);
}

/* name: value, 'name': 'value', name=value; `at` is the separator. */
static bool find_named(const reader *r, size_t at, span *out)
{
    const char *text = r->text;
    if (at + 1 < r->length && (text[at + 1] == ':' || text[at + 1] == '='))
        return false;
    size_t end = at;
    while (end > r->floor && at - end < 2 && text[end - 1] == ' ')
        end--;
    if (end > r->floor && (text[end - 1] == '\'' || text[end - 1] == '"')) {
        end--;
        while (end > r->floor && text[end - 1] == '\\')
            end--;
    }
    size_t begin = end;
    while (begin > r->floor && end - begin < NAME_MAX_LENGTH && is_word(text[begin - 1]))
        begin--;
    if (end - begin < 3 || !inf_mask_name(text + begin, end - begin))
        return false;
    char last = lower(text[end - 1]), before = lower(text[end - 2]);
    bool cookie = (last == 'e' && before == 'i') || (last == 's' && before == 'e');
    return find_value(r, at + 1, cookie, out);
}

/* Shapes -------------------------------------------------------------------------------------------------------------
 */

static inline size_t decide_limit(const reader *r, size_t from)
{
    return r->length - from > DECIDE ? from + DECIDE : r->length;
}

/* The run of key characters from `from` on; a key when it is at least `least` long, or cut off by the text's end. */
static bool find_run(const reader *r, size_t from, size_t prefix, size_t least, bool digit, span *out)
{
    if (from > r->floor && is_alnum(r->text[from - 1]))
        return false;
    size_t to = from + prefix;
    size_t limit = decide_limit(r, from);
    bool digits = false;
    while (to < limit && is_word(r->text[to])) {
        digits |= is_digit(r->text[to]);
        to++;
    }
    bool key = r->cut && to == r->length ? to > from + prefix : to - from >= prefix + least && (digits || !digit);
    if (!key)
        return false;
    while (to < r->length && is_word(r->text[to]))
        to++;
    out->from = from;
    out->to = to;
    return true;
}

/* scheme://user:password@host: from the user on. */
static bool find_url_user(const reader *r, size_t at, span *out)
{
    size_t from = at + 3, to = from, colon = 0;
    size_t limit = r->length - from > URL_USER_MAX ? from + URL_USER_MAX : r->length;
    for (; to < limit; to++) {
        char c = r->text[to];
        if (c == '@')
            break;
        if (c == '/' || c == '?' || c == '#' || c == ' ' || c == '\'' || c == '"' || c == '\n' || c == '<' || c == '>')
            return false;
        if (c == ':' && !colon)
            colon = to + 1;
    }
    if (!colon || (to == limit && !(r->cut && to == r->length)))
        return false;
    out->from = colon;
    out->to = to;
    return to > colon;
}

static bool find_pem(const reader *r, size_t at, span *out)
{
    const char *text = r->text;
    if (r->length - at < 27 || !STARTS(text + at, r->length - at, "-----BEGIN "))
        return false;
    size_t head = at + 11, limit = head + 40 < r->length ? head + 40 : r->length;
    while (head < limit && text[head] != '-')
        head++;
    if (head < at + 22 || memcmp(text + head - 11, "PRIVATE KEY", 11) != 0)
        return false;
    out->from = at;
    for (size_t to = head; to < r->length; to++) {
        const char *dash = memchr(text + to, '-', r->length - to);
        if (!dash)
            break;
        to = (size_t)(dash - text);
        if (!STARTS(dash, r->length - to, "-----END "))
            continue;
        to += 9;
        while (to < r->length && text[to] != '-' && text[to] != '\n')
            to++;
        while (to < r->length && text[to] == '-')
            to++;
        out->to = to;
        return true;
    }
    out->to = r->length;
    return true;
}

static bool ends(const reader *r, size_t at, const char *prefix, size_t count)
{
    return at >= r->floor + count && memcmp(r->text + at - count, prefix, count) == 0;
}
#define ENDS(r, at, literal) ends((r), (at), "" literal, sizeof(literal) - 1)

/* `at` is a dash: sk-..., xoxb-..., glpat-..., -----BEGIN ... PRIVATE KEY----- */
static bool find_dashed(const reader *r, size_t at, span *out)
{
    if (ENDS(r, at, "sk"))
        return find_run(r, at - 2, 3, 13, true, out);
    if (at >= r->floor + 4 && memcmp(r->text + at - 4, "xox", 3) == 0)
        return find_run(r, at - 4, 5, 8, true, out);
    if (ENDS(r, at, "glpat"))
        return find_run(r, at - 5, 6, 16, false, out);
    return at + 1 < r->length && r->text[at + 1] == '-' && find_pem(r, at, out);
}

/* `at` is an underscore: ghp_..., gho_..., github_pat_..., sk_live_..., hf_... */
static bool find_underscored(const reader *r, size_t at, span *out)
{
    if (at >= r->floor + 3 && r->text[at - 3] == 'g' && r->text[at - 2] == 'h' && strchr("pousr", r->text[at - 1]))
        return find_run(r, at - 3, 4, 16, false, out);
    if (ENDS(r, at, "github_pat"))
        return find_run(r, at - 10, 11, 16, false, out);
    if (ENDS(r, at, "sk_live") || ENDS(r, at, "rk_live") || ENDS(r, at, "sk_test"))
        return find_run(r, at - 7, 8, 10, false, out);
    if (ENDS(r, at, "hf"))
        return find_run(r, at - 2, 3, 20, false, out);
    return false;
}

/* `at` is the J of eyJ: three runs of Base64 with dots between; the third may be missing. */
static bool find_jwt(const reader *r, size_t at, span *out)
{
    if (!ENDS(r, at, "ey") || (at > r->floor + 2 && is_alnum(r->text[at - 3])))
        return false;
    size_t to = at, dots = 0, limit = decide_limit(r, at);
    while (to < limit && (is_word(r->text[to]) || r->text[to] == '.' || r->text[to] == '='))
        dots += r->text[to++] == '.';
    if (!((r->cut && to == r->length && to - at > 4) || (dots >= 1 && to - at >= 20)))
        return false;
    while (to < r->length && (is_word(r->text[to]) || r->text[to] == '.' || r->text[to] == '='))
        to++;
    out->from = at - 2;
    out->to = to;
    return true;
}

static inline bool is_base64(char c)
{
    return is_word(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

/* `at` is the B of Bearer or Basic. */
static bool find_scheme(const reader *r, size_t at, span *out)
{
    const char *text = r->text + at;
    size_t left = r->length - at;
    if (left < 7 || (at > r->floor && is_alnum(text[-1])))
        return false;
    size_t word;
    if (lower(text[1]) == 'e' && is_scheme(text, 6))
        word = 6;
    else if (lower(text[1]) == 'a' && is_scheme(text, 5))
        word = 5;
    else
        return false;
    size_t from = at + word;
    if (STARTS(r->text + from, r->length - from, "%20"))
        from += 3;
    else if (r->text[from] == ' ' || r->text[from] == '+')
        from++;
    else
        return false;
    size_t to = from, limit = decide_limit(r, from);
    bool digits = false, upper = false, low = false;
    for (; to < limit && is_base64(r->text[to]); to++) {
        char c = r->text[to];
        digits |= is_digit(c);
        upper |= c >= 'A' && c <= 'Z';
        low |= c >= 'a' && c <= 'z';
    }
    size_t length = to - from;
    bool key;
    if (r->cut && to == r->length)
        key = length > 0;
    else if (word == 5)
        key = length >= 8 && (r->text[to - 1] == '=' || (length >= 12 && digits && upper && low));
    else
        key = (length >= 6 && digits) || length >= 16;
    while (key && to < r->length && is_base64(r->text[to]))
        to++;
    out->from = from;
    out->to = to;
    return key;
}

static bool find(const reader *r, size_t at, span *out)
{
    const char *text = r->text;
    switch (text[at]) {
    case ':':
        if (at + 2 < r->length && text[at + 1] == '/' && text[at + 2] == '/')
            return find_url_user(r, at, out);
        return find_named(r, at, out);
    case '=':
        return find_named(r, at, out);
    case '-':
        return find_dashed(r, at, out);
    case '_':
        return find_underscored(r, at, out);
    case 'J':
        return find_jwt(r, at, out);
    case 'K':
        return at > r->floor && text[at - 1] == 'A' && STARTS(text + at, r->length - at, "KIA") &&
               find_run(r, at - 1, 4, 12, false, out);
    case 'z':
        return at + 1 < r->length && text[at + 1] == 'a' && ENDS(r, at, "AI") && find_run(r, at - 2, 4, 20, false, out);
    case 'B':
    case 'b':
        return find_scheme(r, at, out);
    default:
        return false;
    }
}

size_t inf_mask_but(char *text, size_t length, size_t room, bool cut, size_t harmless)
{
    reader r = {text, 0, length, cut};
    candidates c;
    size_t out = 0;
    search_from(&c, text, 0, length, room);
    for (size_t at; (at = next_candidate(&c, text, r.length, room)) < r.length;) {
        span s;
        if (at == harmless || !find(&r, at, &s) || s.from < r.floor)
            continue;
        size_t kept = s.from - r.floor;
        memmove(text + out, text + r.floor, kept);
        out += kept;
        if (out + MARK_LENGTH > s.to && r.length < room) {
            size_t gap = room - r.length < GAP ? room - r.length : GAP;
            memmove(text + s.to + gap, text + s.to, r.length - s.to);
            r.length += gap;
            s.to += gap;
            harmless = SIZE_MAX; /* it is somewhere else now */
        }
        size_t mark = s.to - out < MARK_LENGTH ? s.to - out : MARK_LENGTH;
        memcpy(text + out, INF_MASKED, mark);
        out += mark;
        r.floor = s.to;
        search_from(&c, text, s.to, r.length, room);
    }
    if (r.floor == 0)
        return length;
    memmove(text + out, text + r.floor, r.length - r.floor);
    return out + r.length - r.floor;
}

size_t inf_mask(char *text, size_t length, size_t room, bool cut)
{
    return inf_mask_but(text, length, room, cut, SIZE_MAX);
}
