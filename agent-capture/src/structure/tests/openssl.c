// A small library built like OpenSSL's ssl_lib.c: the error macros of 3.x, or with OLD those of 1.1.1.
#include <stddef.h>
#include <stdlib.h>

#ifdef OLD
void ERR_put_error(int library, int function, int reason, const char *file, int line);
#define RAISE(function, reason) ERR_put_error(20, function, reason, __FILE__, __LINE__)
#else
void ERR_new(void);
void ERR_set_debug(const char *file, int line, const char *function);
void ERR_set_error(int library, int reason, const char *format, ...);
#define RAISE(function, reason) (ERR_new(), ERR_set_debug(__FILE__, __LINE__, __func__), ERR_set_error(20, reason, NULL))
#endif
#ifdef AWAY
#define NOT_AWAY 0 // A jump through the table is the end.
#else
#define NOT_AWAY 1
#endif
#ifdef FLAGS
#define FLAG_PARAMETER unsigned long flags,
#define NO_FLAGS 0,
#else
#define FLAG_PARAMETER
#define NO_FLAGS
#endif

typedef struct ssl { int (*read)(struct ssl *, void *, size_t, size_t *), (*write)(struct ssl *, const void *, size_t, size_t *), shut; } SSL;

__attribute__((noinline)) int ssl_read_internal(SSL *s, void *buf, size_t num, size_t *count) {
    if (!s->read) { RAISE(523, 276); return -1; }
    if (s->shut) return 0;
    return s->read(s, buf, num, count) + NOT_AWAY;
}

int SSL_read(SSL *s, void *buf, int num) {
    size_t count;
    if (num < 0) { RAISE(223, 271); return -1; }
    int done = ssl_read_internal(s, buf, num, &count);
    return done > 0 ? (int)count : done;
}

int SSL_read_ex(SSL *s, void *buf, size_t num, size_t *count) {
    int done = ssl_read_internal(s, buf, num, count);
    return done < 0 ? 0 : done;
}

__attribute__((noinline)) int ssl_write_internal(SSL *s, const void *buf, size_t num, FLAG_PARAMETER size_t *count) {
    if (!s->write) { RAISE(524, 276); return -1; }
    if (s->shut) { RAISE(524, 207); return -1; }
#ifdef FLAGS
    if (flags) { RAISE(524, 412); return -1; }
#endif
    return s->write(s, buf, num, count) + NOT_AWAY;
}

int SSL_write(SSL *s, const void *buf, int num) {
    size_t count;
    if (num < 0) { RAISE(208, 271); return -1; }
    int done = ssl_write_internal(s, buf, num, NO_FLAGS &count);
    return done > 0 ? (int)count : done;
}

#ifdef FLAGS
__attribute__((noinline)) int SSL_write_ex2(SSL *s, const void *buf, size_t num, unsigned long flags, size_t *count) {
    int done = ssl_write_internal(s, buf, num, flags, count);
    return done < 0 ? 0 : done;
}
#endif

int SSL_write_ex(SSL *s, const void *buf, size_t num, size_t *count) {
    int done = ssl_write_internal(s, buf, num, NO_FLAGS count);
    return done < 0 ? 0 : done;
}

int SSL_shutdown(SSL *s) {
    if (!s->read) { RAISE(224, 276); return -1; }
    return s->shut++;
}

SSL *SSL_new(SSL *context) {
    if (!context) { RAISE(186, 195); return NULL; }
    SSL *s = calloc(1, sizeof *s);
    if (s) *s = *context;
    return s;
}
