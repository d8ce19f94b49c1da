// A program around one of the small libraries. It is never run.
#include <stddef.h>
typedef struct ssl SSL;
SSL *SSL_new(SSL *);
int SSL_read(SSL *, void *, int), SSL_write(SSL *, const void *, int), SSL_shutdown(SSL *);
__attribute__((noinline)) void ERR_put_error(int a, int b, int c, const char *d, int e) { __asm__ volatile("" : : "r"(d), "r"(a), "r"(b), "r"(c), "r"(e)); }
__attribute__((noinline)) void ERR_new(void) { __asm__ volatile(""); }
__attribute__((noinline)) void ERR_set_debug(const char *a, int b, const char *c) { __asm__ volatile("" : : "r"(a), "r"(b), "r"(c)); }
__attribute__((noinline)) void ERR_set_error(int a, int b, const char *c, ...) { __asm__ volatile("" : : "r"(a), "r"(b), "r"(c)); }
#ifdef BORINGSSL
int SSL_peek_ex(SSL *, void *, size_t, size_t *), SSL_key_update(SSL *), SSL_peek(SSL *, void *, int);
#else
int SSL_write_ex2(SSL *, const void *, size_t, unsigned long, size_t *);
int SSL_read_ex(SSL *, void *, size_t, size_t *), SSL_write_ex(SSL *, const void *, size_t, size_t *);
#endif

int main(int argc, char **argv) {
    char buffer[100];
    size_t count = 0;
    SSL *ssl = SSL_new((SSL *)argv);
    int sum = SSL_write(ssl, buffer, argc) + SSL_read(ssl, buffer, sizeof buffer);
#ifdef BORINGSSL
    sum += SSL_peek(ssl, buffer, 1) + SSL_peek_ex(ssl, buffer, 2, &count) + SSL_key_update(ssl);
#else
#ifdef FLAGS
    sum += SSL_write_ex2(ssl, buffer, 3, argc, &count);
#endif
    sum += SSL_read_ex(ssl, buffer, 1, &count) + SSL_write_ex(ssl, buffer, 2, &count);
#endif
    return sum + SSL_shutdown(ssl) + (int)count;
}
