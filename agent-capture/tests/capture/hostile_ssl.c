/* A TLS library without TLS: its functions do nothing but return what they are told through `hook`. */
static int (*hook)(void);

void fake_hook(int (*function)(void)) { hook = function; }

int SSL_write(void *ssl, const void *buffer, int length) {
    (void)ssl; (void)buffer;
    return hook ? hook() : length;
}

int SSL_read(void *ssl, void *buffer, int length) {
    (void)ssl; (void)buffer;
    return hook ? hook() : length;
}

int SSL_write_ex(void *ssl, const void *buffer, unsigned long length, unsigned long *count) {
    (void)ssl; (void)buffer; (void)length; (void)count;
    return hook ? hook() : 1;
}

int SSL_shutdown(void *ssl) { (void)ssl; return 1; }

void SSL_free(void *ssl) { (void)ssl; }
