/*
 * The load generator: one thread, epoll, HTTP/1.1 keep-alive on loopback; prints one JSON object with exact samples.
 *
 * usage: load PORT REQUEST_FILE CONNECTIONS SECONDS RATE LIMIT WARMUP BODY_BYTES EVENTS MARKER
 * RATE 0 is a closed loop: every connection asks again as soon as it is answered. Else that many calls a second are
 * due, evenly spaced, and latency counts from the moment a call was due, also when no connection was free for it.
 * LIMIT bounds the calls sent (0: none). Calls due in the first WARMUP seconds are made but leave no sample.
 * BODY_BYTES is the exact length of a good body (0: any), EVENTS the exact number of server-sent events (0: the
 * reply is no stream), MARKER a text that a good body has.
 */
#include "reply.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (60 * SECOND)

enum phase { CLOSED, IDLE, ASKED };
enum fault { STATUS, CONTENT, CUT, TIMEOUT, CONNECT, UNFINISHED, FAULTS };

struct conn {
    int fd, reused;
    enum phase phase;
    uint64_t due, sent;
    struct reply reply;
};

struct samples { uint64_t *values; size_t count, room; };

static const char *fault_names[FAULTS] = {"status", "content", "cut", "timeout", "connect", "unfinished"};
static struct conn *conns;
static int conn_count, poller, port;
static struct conn **idle;
static int idle_count;
static char *request;
static size_t request_length;
static uint64_t start, finish, measured_from, gap, limit, expected_bytes, expected_events;
static const char *marker;
static uint64_t sent_count, ok_count, faults[FAULTS], retried, opened, busy, received, next_due, event_count;
static struct samples latency, first_byte, lateness;
static char first_fault[400];

static void keep_sample(struct samples *s, uint64_t value) {
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 65536;
        s->values = realloc(s->values, s->room * sizeof *s->values);
        if (!s->values) abort();
    }
    s->values[s->count++] = value;
}

static void fault(struct conn *c, enum fault what, const char *detail) {
    faults[what]++;
    if (!first_fault[0])
        snprintf(first_fault, sizeof first_fault, "%s: status %d, %lu body bytes, %lu events; %.200s",
                 fault_names[what], c->reply.status, c->reply.body, c->reply.events, detail);
}

static void close_conn(struct conn *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->phase = CLOSED;
}

static int open_conn(struct conn *c) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a)) {
        close_conn(c);
        return -1;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    opened++;
    c->phase = IDLE;
    c->reused = 0;
    return 0;
}

/* Writes the request for the call that was due at `due`; a fault is booked, never hidden. */
static void send_call(struct conn *c, uint64_t due) {
    c->due = due;
    expect_reply(&c->reply, expected_events != 0);
    for (int tries = 0; tries < 2; tries++) {
        if (c->phase == CLOSED && open_conn(c) < 0) break;
        c->sent = now_ns();
        if (send(c->fd, request, request_length, MSG_NOSIGNAL) == (ssize_t)request_length) {
            c->phase = ASKED;
            busy++;
            return;
        }
        retried++;
        close_conn(c);
    }
    fault(c, CONNECT, strerror(errno));
    idle[idle_count++] = c;
}

static void send_next(struct conn *c) {
    if (limit && sent_count >= limit) return;
    sent_count++;
    send_call(c, now_ns());
}

static void settle(struct conn *c) {
    uint64_t now = now_ns();
    int right = c->reply.status == 200;
    if (!right) {
        c->reply.keep[c->reply.kept] = 0;
        fault(c, STATUS, c->reply.keep);
    } else {
        c->reply.keep[c->reply.kept] = 0;
        if (expected_events) right = c->reply.done && c->reply.events == expected_events;
        else right = strstr(c->reply.keep, marker) != NULL;
        if (expected_bytes && c->reply.body != expected_bytes) right = 0;
        if (!right) fault(c, CONTENT, c->reply.keep);
    }
    event_count += c->reply.events;
    received += c->reply.body;
    if (right) {
        ok_count++;
        if (c->due >= measured_from) {
            keep_sample(&latency, now - c->due);
            if (expected_events) keep_sample(&first_byte, c->reply.first - c->due);
            if (gap) keep_sample(&lateness, c->sent - c->due);
        }
    }
    busy--;
    if (c->reply.last) close_conn(c);
    else c->phase = IDLE;
    c->reused = 1;
    if (gap) idle[idle_count++] = c;
    else if (now < finish) send_next(c);
}

static void broken(struct conn *c, enum fault what, const char *detail) {
    uint64_t due = c->due;
    int stale = what == CUT && c->reused && c->reply.head_held == 0;
    close_conn(c);
    busy--;
    if (stale) {
        retried++;
        send_call(c, due);
        return;
    }
    fault(c, what, detail);
    if (gap) idle[idle_count++] = c;
    else if (now_ns() < finish && ok_count + 1000 > faults[CUT] + faults[TIMEOUT]) send_next(c);
}

static void readable(struct conn *c) {
    static char buffer[131072];
    ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (c->phase == IDLE) {
        close_conn(c);
        return;
    }
    if (n <= 0) {
        if (c->reply.in_body && c->reply.framing == UNTIL_CLOSE) settle(c);
        else broken(c, CUT, n < 0 ? strerror(errno) : "closed");
        return;
    }
    int ended = take(&c->reply, buffer, buffer + n);
    if (ended < 0) broken(c, CONTENT, "framing");
    else if (ended) settle(c);
}

static void send_due(uint64_t now) {
    while (next_due <= now && next_due < finish && idle_count && !(limit && sent_count >= limit)) {
        sent_count++;
        send_call(idle[--idle_count], next_due);
        next_due += gap;
    }
}

static void sweep(uint64_t now) {
    static uint64_t swept;
    if (now - swept < SECOND) return;
    swept = now;
    for (int i = 0; i < conn_count; i++)
        if (conns[i].phase == ASKED && now - conns[i].sent > PATIENCE)
            broken(&conns[i], TIMEOUT, "no answer within 60 s");
}

static int over(uint64_t now) {
    int all_sent = limit && sent_count >= limit;
    int all_due = gap ? next_due >= finish : now >= finish;
    if ((all_sent || all_due) && !busy) return 1;
    if (now < finish + PATIENCE / 2) return !gap && !busy;
    for (int i = 0; i < conn_count; i++)
        if (conns[i].phase == ASKED) fault(&conns[i], UNFINISHED, "still waiting at the end");
    if (gap && next_due < finish) faults[UNFINISHED] += (finish - next_due) / gap;
    return 1;
}

static void run(void) {
    struct epoll_event events[256];
    for (;;) {
        uint64_t now = now_ns();
        if (gap) send_due(now);
        sweep(now_ns());
        if (over(now)) return;
        uint64_t wait = SECOND / 10;
        if (gap && idle_count && next_due < finish) {
            now = now_ns();
            wait = next_due > now ? next_due - now : 0;
            if (wait > SECOND / 10) wait = SECOND / 10;
        }
        struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)wait};
        int n = epoll_pwait2(poller, events, 256, &pause, NULL);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->phase != CLOSED) readable(c);
            if (gap) send_due(now_ns());
        }
    }
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double at_rank(const struct samples *s, double share) {
    if (!s->count) return 0;
    size_t rank = (size_t)(share * (double)s->count + 0.999999);
    if (rank < 1) rank = 1;
    if (rank > s->count) rank = s->count;
    return (double)s->values[rank - 1] / 1000;
}

static void print_samples(const char *name, struct samples *s) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) sum += (double)s->values[i];
    qsort(s->values, s->count, sizeof *s->values, ascending);
    printf("\"%s\":{\"count\":%zu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},",
           name, s->count, s->count ? sum / (double)s->count / 1000 : 0, at_rank(s, 0.5), at_rank(s, 0.9),
           at_rank(s, 0.99), at_rank(s, 0.999), at_rank(s, 1));
}

static void print_escaped(const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') printf("\\%c", *text);
        else if ((unsigned char)*text < 32 || (unsigned char)*text > 126) printf(" ");
        else putchar(*text);
    }
}

static void report(double seconds) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    uint64_t errors = 0;
    printf("{\"seconds\":%.6f,\"sent\":%lu,\"ok\":%lu,", seconds, sent_count, ok_count);
    print_samples("latency_us", &latency);
    print_samples("first_byte_us", &first_byte);
    print_samples("lateness_us", &lateness);
    printf("\"faults\":{");
    for (int i = 0; i < FAULTS; i++) {
        errors += faults[i];
        printf("%s\"%s\":%lu", i ? "," : "", fault_names[i], faults[i]);
    }
    printf("},\"errors\":%lu,\"retried\":%lu,\"opened\":%lu,\"body_bytes\":%lu,\"events\":%lu,\"cpu_us\":%.0f,",
           errors, retried, opened, received, event_count,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6
               + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
    printf("\"first_fault\":\"");
    print_escaped(first_fault);
    printf("\"}\n");
}

static void read_request(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    request = malloc(1 << 20);
    request_length = fread(request, 1, 1 << 20, f);
    fclose(f);
}

int main(int argc, char **argv) {
    if (argc != 11) {
        fprintf(stderr, "usage: load PORT REQUEST_FILE CONNECTIONS SECONDS RATE LIMIT WARMUP BODY_BYTES EVENTS MARKER\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1000);
    port = atoi(argv[1]);
    read_request(argv[2]);
    conn_count = atoi(argv[3]);
    double seconds = atof(argv[4]), rate = atof(argv[5]), warmup = atof(argv[7]);
    limit = strtoull(argv[6], NULL, 10);
    expected_bytes = strtoull(argv[8], NULL, 10);
    expected_events = strtoull(argv[9], NULL, 10);
    marker = argv[10];
    gap = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    poller = epoll_create1(0);
    conns = calloc((size_t)conn_count, sizeof *conns);
    idle = calloc((size_t)conn_count * 2, sizeof *idle);
    for (int i = 0; i < conn_count; i++) {
        conns[i].fd = -1;
        if (open_conn(&conns[i]) < 0) {
            perror("connect");
            return 1;
        }
    }
    start = now_ns();
    measured_from = start + (uint64_t)(warmup * 1e9);
    finish = measured_from + (uint64_t)(seconds * 1e9);
    next_due = start;
    for (int i = conn_count - 1; i >= 0; i--) {
        if (gap) idle[idle_count++] = &conns[i];
        else send_next(&conns[i]);
    }
    run();
    report((double)(now_ns() - start) / 1e9);
    return 0;
}
