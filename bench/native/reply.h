/* A reply as it comes in: its head, its framing, its events. Reads bytes, knows nothing of sockets. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HEAD_BYTES 16384
#define KEPT_BYTES 4096
#define LINE_BYTES 12
#define SECOND 1000000000ull

enum framing { LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE };

struct reply {
    int status, in_body, last, done, counts_events;
    enum framing framing;
    uint64_t first, left, body, events;
    size_t head_held, kept, line_held, size_held;
    char line[LINE_BYTES], size[20];
    char head[HEAD_BYTES + 1], keep[KEPT_BYTES + 1];
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void expect_reply(struct reply *r, int counts_events) {
    r->first = r->left = r->body = r->events = 0;
    r->head_held = r->kept = r->line_held = r->size_held = 0;
    r->status = r->in_body = r->last = r->done = 0;
    r->counts_events = counts_events;
}

static void end_of_line_start(struct reply *r) {
    if (r->line_held >= 5 && memcmp(r->line, "data:", 5) == 0) r->events++;
    if (r->line_held == LINE_BYTES && memcmp(r->line, "data: [DONE]", LINE_BYTES) == 0) r->done = 1;
}

/* Counts events: `line_held` is how much of the line's start is known; past LINE_BYTES the rest is skipped. */
static void count_events(struct reply *r, const char *at, const char *end) {
    while (at < end) {
        if (r->line_held < LINE_BYTES) {
            char byte = *at++;
            if (byte == '\n') {
                end_of_line_start(r);
                r->line_held = 0;
                continue;
            }
            r->line[r->line_held++] = byte;
            if (r->line_held == LINE_BYTES) end_of_line_start(r);
            continue;
        }
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline) return;
        r->line_held = 0;
        at = newline + 1;
    }
}

static void take_body(struct reply *r, const char *at, size_t length) {
    if (!r->body && length) r->first = now_ns();
    r->body += length;
    size_t room = KEPT_BYTES - r->kept, copied = length < room ? length : room;
    memcpy(r->keep + r->kept, at, copied);
    r->kept += copied;
    if (r->counts_events) count_events(r, at, at + length);
}

static int parse_head(struct reply *r) {
    r->framing = UNTIL_CLOSE;
    r->status = atoi(r->head + 9);
    for (char *line = strstr(r->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            r->framing = LENGTH;
            r->left = strtoull(line + 15, NULL, 10);
        } else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0) {
            r->framing = CHUNK_SIZE;
        } else if (strncasecmp(line, "connection: close", 17) == 0) {
            r->last = 1;
        }
    }
    if (r->framing == UNTIL_CLOSE) r->last = 1;
    r->in_body = 1;
    return r->framing == LENGTH && r->left == 0;
}

/* One step through chunked framing. 1 when the body has ended, -1 for nonsense. */
static int chunk_step(struct reply *r, const char **at, const char *end) {
    if (r->framing == CHUNK_DATA) {
        size_t n = (size_t)(end - *at) < r->left ? (size_t)(end - *at) : r->left;
        take_body(r, *at, n);
        *at += n;
        r->left -= n;
        if (!r->left) r->framing = CHUNK_END;
        return 0;
    }
    char byte = *(*at)++;
    if (byte != '\n') {
        if (byte != '\r' && r->size_held < sizeof r->size - 1) r->size[r->size_held++] = byte;
        return 0;
    }
    r->size[r->size_held] = 0;
    int empty = r->size_held == 0;
    r->size_held = 0;
    if (r->framing == TRAILER) return empty;
    if (r->framing == CHUNK_END) {
        r->framing = CHUNK_SIZE;
        return empty ? 0 : -1;
    }
    r->left = strtoull(r->size, NULL, 16);
    r->framing = r->left ? CHUNK_DATA : TRAILER;
    return 0;
}

/* Takes what was read. 1 when the reply is whole, 0 when more is due, -1 when its framing is broken. */
static int take(struct reply *r, const char *at, const char *end) {
    if (!r->in_body) {
        size_t old = r->head_held, n = (size_t)(end - at);
        if (n > HEAD_BYTES - old) n = HEAD_BYTES - old;
        memcpy(r->head + old, at, n);
        r->head_held += n;
        r->head[r->head_held] = 0;
        char *stop = strstr(r->head + (old > 3 ? old - 3 : 0), "\r\n\r\n");
        if (!stop) return r->head_held < HEAD_BYTES ? 0 : -1;
        at += (size_t)(stop - r->head) + 4 - old;
        stop[2] = 0;
        if (parse_head(r)) return 1;
    }
    while (at < end) {
        if (r->framing == LENGTH || r->framing == UNTIL_CLOSE) {
            size_t n = (size_t)(end - at);
            if (r->framing == LENGTH && n > r->left) return -1;
            take_body(r, at, n);
            r->left -= r->framing == LENGTH ? n : 0;
            return r->framing == LENGTH && r->left == 0;
        }
        int ended = chunk_step(r, &at, end);
        if (ended) return at == end ? ended : -1;
    }
    return 0;
}
