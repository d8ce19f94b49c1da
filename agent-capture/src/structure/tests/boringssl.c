// A small library built like BoringSSL's ssl_lib.cc: the same error macro, the same reasons, the same calls.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void ERR_put_error(int library, int unused, int reason, const char *file, unsigned line);
#define PUT_ERROR(reason) ERR_put_error(16, 0, reason, __FILE__, __LINE__)
#ifdef APART
#define MAY_CONTAIN __attribute__((noinline))
#else
#define MAY_CONTAIN
#endif

struct state { const char *data; size_t size; int want, shut; };
typedef struct ssl { int (*handshake)(struct ssl *); int (*move)(struct ssl *, const void *, size_t); struct state *state; int quic; } SSL;

__attribute__((noinline)) int SSL_do_handshake(SSL *ssl) {
    if (!ssl->handshake) { PUT_ERROR(144); return -1; }
    return ssl->handshake(ssl);
}

__attribute__((noinline)) static int ssl_read_impl(SSL *ssl) {
    ssl->state->want = 0;
    if (!ssl->handshake) { PUT_ERROR(226); return -1; }
    while (!ssl->state->size) {
        int done = SSL_do_handshake(ssl);
        if (done < 0) return done;
        if (done == 0) { PUT_ERROR(215); return -1; }
        ssl->state->size = ssl->move(ssl, NULL, 0);
    }
    return 1;
}

MAY_CONTAIN int SSL_peek(SSL *ssl, void *buffer, int size) {
    if (ssl->quic) { PUT_ERROR(66); return -1; }
    int done = ssl_read_impl(ssl);
    if (done <= 0) return done;
    if (size <= 0) return size;
    size_t count = ssl->state->size < (size_t)size ? ssl->state->size : (size_t)size;
    memcpy(buffer, ssl->state->data, count);
    return count;
}

int SSL_read(SSL *ssl, void *buffer, int size) {
    int done = SSL_peek(ssl, buffer, size);
    if (done <= 0) return done;
    ssl->state->data += done;
    ssl->state->size -= done;
    if (!ssl->state->size) ssl->state->data = NULL;
    return done;
}

int SSL_peek_ex(SSL *ssl, void *buffer, size_t size, size_t *count) {
    int done = SSL_peek(ssl, buffer, size);
    if (done <= 0) return 0;
    *count = done;
    return 1;
}

int SSL_write(SSL *ssl, const void *buffer, int size) {
    ssl->state->want = 0;
    if (ssl->quic) { PUT_ERROR(66); return -1; }
    if (!ssl->handshake) { PUT_ERROR(226); return -1; }
    int done = SSL_do_handshake(ssl);
    if (done < 0) return done;
    if (done == 0) { PUT_ERROR(215); return -1; }
    if (size < 0) { PUT_ERROR(111); return -1; }
    return ssl->move(ssl, buffer, size) + 1;
}

int SSL_key_update(SSL *ssl) {
    if (!ssl->handshake) { PUT_ERROR(226); return 0; }
    return ssl->handshake(ssl) + 1;
}

int SSL_shutdown(SSL *ssl) {
    if (!ssl->handshake) { PUT_ERROR(226); return -1; }
    if (ssl->state->shut++) {
        if (ssl_read_impl(ssl) > 0) { PUT_ERROR(291); return -1; }
        return 1;
    }
    return 0;
}

SSL *SSL_new(SSL *context) {
    if (!context) { PUT_ERROR(185); return NULL; }
    SSL *ssl = calloc(1, sizeof *ssl);
    if (ssl) *ssl = *context;
    return ssl;
}
