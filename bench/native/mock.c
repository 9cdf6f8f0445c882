/*
 * The mock upstream: one thread, epoll, HTTP/1.1 keep-alive, plain and TLS at once.
 *
 * It sends prepared bytes and parses only what framing needs, so that it costs less than any gateway before it.
 * usage: mock CALL_FILE SCRIPT_FILE SCRIPT_FILE [CERTIFICATE KEY]
 * CALL_FILE is a whole response. A SCRIPT_FILE is a paced one: the pause in microseconds, then every write, each
 * number and length as 4 bytes little-endian. A body with "stream":true gets a script: the second one if the text
 * `slow-drip` is in the body, else the first. Prints `ports PLAIN TLS`. GET /stats tells what it counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES 65536
#define MAX_WRITES 256

struct piece { const char *bytes; size_t length; };
struct script { uint64_t pause; int count; struct piece writes[MAX_WRITES]; };

struct conn {
    int fd, step, queued, dead, close_after, control, armed;
    SSL *ssl;
    size_t held, unsent;
    const char *output;
    const struct script *script;
    uint64_t due;
    struct conn *next;
    char input[INPUT_BYTES + 1];
};

struct queue { struct conn *first, *last; };

static int poller;
static SSL_CTX *tls;
static struct piece call;
static struct script scripts[2];
static struct queue waiting[2];
static uint64_t opened, opened_tls, requests, streams, bad;
static int plain_listener, tls_listener;
static char stats[512];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct piece load_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *bytes = malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, f) != (size_t)size) die(path);
    fclose(f);
    return (struct piece){bytes, (size_t)size};
}

static void load_script(const char *path, struct script *s) {
    struct piece file = load_file(path);
    uint32_t number;
    memcpy(&number, file.bytes, 4);
    s->pause = (uint64_t)number * 1000;
    for (size_t at = 4; at < file.length && s->count < MAX_WRITES; at += number) {
        memcpy(&number, file.bytes + at, 4);
        at += 4;
        s->writes[s->count++] = (struct piece){file.bytes + at, number};
    }
}

static int listen_on_loopback(int *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    if (bind(fd, (struct sockaddr *)&a, size) || listen(fd, 4096) || getsockname(fd, (struct sockaddr *)&a, &size))
        die("listen");
    *port = ntohs(a.sin_port);
    return fd;
}

static void drop(struct conn *c) {
    if (c->dead) return;
    c->dead = 1;
    if (c->ssl) SSL_free(c->ssl);
    close(c->fd);
    if (!c->queued) free(c);
}

static void arm(struct conn *c, uint32_t events) {
    if ((int)events == c->armed) return;
    c->armed = (int)events;
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* Bytes moved, 0 for "not now", -1 for the end of the connection. */
static ssize_t receive(struct conn *c, char *to, size_t room) {
    if (c->ssl) {
        int n = SSL_read(c->ssl, to, (int)room);
        if (n > 0) return n;
        int why = SSL_get_error(c->ssl, n);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = recv(c->fd, to, room, 0);
    if (n > 0) return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t deliver(struct conn *c, const char *from, size_t length) {
    if (c->ssl) {
        int n = SSL_write(c->ssl, from, (int)length);
        if (n > 0) return n;
        int why = SSL_get_error(c->ssl, n);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = send(c->fd, from, length, MSG_NOSIGNAL);
    if (n > 0) return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* 1 when everything is out, 0 when the socket is full, -1 when the connection is gone. */
static int flush_output(struct conn *c) {
    while (c->unsent) {
        ssize_t n = deliver(c, c->output, c->unsent);
        if (n < 0) return -1;
        if (n == 0) {
            arm(c, EPOLLIN | EPOLLOUT);
            return 0;
        }
        c->output += n;
        c->unsent -= (size_t)n;
    }
    arm(c, EPOLLIN);
    return 1;
}

static void wait_for_turn(struct conn *c) {
    struct queue *q = &waiting[c->script - scripts];
    c->due = now_ns() + c->script->pause;
    c->next = NULL;
    c->queued = 1;
    if (q->last) q->last->next = c; else q->first = c;
    q->last = c;
}

static int continue_script(struct conn *c) {
    const struct piece *p = &c->script->writes[c->step++];
    c->output = p->bytes;
    c->unsent = p->length;
    int sent = flush_output(c);
    if (sent < 0) return -1;
    if (c->step < c->script->count) wait_for_turn(c);
    else c->script = NULL;
    return sent;
}

/* The value of a header, or NULL. `head` ends in a NUL; `name` is written with its colon, in lower case. */
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0) return line + length + strspn(line + length, " ");
    }
    return NULL;
}

/* Length of a whole chunked body, 0 when some of it is missing. */
static size_t chunked_length(const char *body, size_t held) {
    size_t at = 0;
    for (;;) {
        const char *end = memmem(body + at, held - at, "\r\n", 2);
        if (!end) return 0;
        size_t size = strtoul(body + at, NULL, 16);
        at = (size_t)(end - body) + 2 + size + 2;
        if (at > held) return 0;
        if (size == 0) return at;
    }
}

static int wants_stream(const char *body, size_t length) {
    const char *at = memmem(body, length, "\"stream\"", 8);
    if (!at) return 0;
    at += 8;
    at += strspn(at, " :");
    return *at == 't';
}

static void write_stats(struct conn *c) {
    char body[256];
    c->control = 1;
    int n = snprintf(body, sizeof body,
                     "{\"connections\":%lu,\"tls_connections\":%lu,\"requests\":%lu,\"streams\":%lu,\"bad\":%lu}",
                     opened, opened_tls, requests, streams, bad);
    c->unsent = (size_t)snprintf(stats, sizeof stats, "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s", n, body);
    c->output = stats;
    c->close_after = 1;
}

static int answer(struct conn *c, const char *body, size_t length) {
    if (strncmp(c->input, "GET /stats ", 11) == 0) {
        opened--;
        write_stats(c);
        return flush_output(c);
    }
    requests++;
    if (wants_stream(body, length)) {
        streams++;
        c->script = &scripts[memmem(body, length, "slow-drip", 9) != NULL];
        c->step = 0;
        return continue_script(c);
    }
    c->output = call.bytes;
    c->unsent = call.length;
    return flush_output(c);
}

/* Answers every whole request that is held. -1 when the connection has to go. */
static int work(struct conn *c) {
    while (c->held && !c->script && !c->unsent) {
        c->input[c->held] = 0;
        char *end = memmem(c->input, c->held, "\r\n\r\n", 4);
        if (!end) return c->held < INPUT_BYTES ? 0 : -1;
        char *body = end + 4;
        size_t head = (size_t)(body - c->input), length = 0;
        char saved = *body;
        *body = 0;
        const char *value = header(c->input, "content-length:");
        const char *coding = header(c->input, "transfer-encoding:");
        const char *connection = header(c->input, "connection:");
        *body = saved;
        if (connection && strncasecmp(connection, "close", 5) == 0) c->close_after = 1;
        if (coding) {
            length = chunked_length(body, c->held - head);
            if (!length) return c->held < INPUT_BYTES ? 0 : -1;
        } else if (value) {
            length = strtoul(value, NULL, 10);
        }
        if (head + length > INPUT_BYTES) {
            bad++;
            return -1;
        }
        if (c->held < head + length) return 0;
        if (answer(c, body, length) < 0) return -1;
        c->held -= head + length;
        if (c->held) memmove(c->input, c->input + head + length, c->held);
        if (c->close_after && !c->script && !c->unsent) return -1;
    }
    return 0;
}

static void readable(struct conn *c) {
    for (;;) {
        if (c->held == INPUT_BYTES) break;
        size_t room = INPUT_BYTES - c->held;
        ssize_t n = receive(c, c->input + c->held, room);
        if (n < 0) {
            drop(c);
            return;
        }
        if (n == 0) break;
        c->held += (size_t)n;
        if (!c->ssl && (size_t)n < room) break;
    }
    if (work(c) < 0) drop(c);
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = malloc(sizeof *c);
        memset(c, 0, offsetof(struct conn, input));
        c->fd = fd;
        c->armed = EPOLLIN;
        opened++;
        if (listener == tls_listener) {
            opened_tls++;
            c->ssl = SSL_new(tls);
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
        }
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

static void turn(struct queue *q, uint64_t now) {
    while (q->first && q->first->due <= now) {
        struct conn *c = q->first;
        q->first = c->next;
        if (!q->first) q->last = NULL;
        c->queued = 0;
        if (c->dead) {
            free(c);
        } else if (c->unsent) {
            wait_for_turn(c);
        } else if (continue_script(c) < 0 || (!c->script && work(c) < 0) || (c->close_after && !c->script && !c->unsent)) {
            drop(c);
        }
    }
}

static void open_tls(const char *certificate, const char *key) {
    tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static struct timespec until_next_turn(uint64_t now) {
    uint64_t wait = 1000000000ull;
    for (int i = 0; i < 2; i++) {
        if (!waiting[i].first) continue;
        uint64_t due = waiting[i].first->due;
        uint64_t left = due > now ? due - now : 0;
        if (left < wait) wait = left;
    }
    return (struct timespec){.tv_sec = (time_t)(wait / 1000000000ull), .tv_nsec = (long)(wait % 1000000000ull)};
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 6) {
        fprintf(stderr, "usage: mock CALL_FILE SCRIPT_FILE SCRIPT_FILE [CERTIFICATE KEY]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1000);
    call = load_file(argv[1]);
    load_script(argv[2], &scripts[0]);
    load_script(argv[3], &scripts[1]);
    int port, tls_port = 0;
    poller = epoll_create1(0);
    plain_listener = listen_on_loopback(&port);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &plain_listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, plain_listener, &e);
    tls_listener = -1;
    if (argc == 6) {
        open_tls(argv[4], argv[5]);
        tls_listener = listen_on_loopback(&tls_port);
        e.data.ptr = &tls_listener;
        epoll_ctl(poller, EPOLL_CTL_ADD, tls_listener, &e);
    }
    printf("ports %d %d\n", port, tls_port);
    fflush(stdout);
    struct epoll_event events[256];
    for (;;) {
        struct timespec wait = until_next_turn(now_ns());
        int n = epoll_pwait2(poller, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (who == &plain_listener || who == &tls_listener) {
                accept_all(*(int *)who);
                continue;
            }
            struct conn *c = who;
            if (events[i].events & EPOLLOUT) {
                int sent = flush_output(c);
                if (sent < 0 || (sent && !c->queued && work(c) < 0)) {
                    drop(c);
                    continue;
                }
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
        uint64_t now = now_ns();
        turn(&waiting[0], now);
        turn(&waiting[1], now);
    }
}
