// A client that carries its own OpenSSL: PORT CONNECTIONS SIZE. Each connection posts SIZE bytes to /echo and reads the answer, by SSL_write
// and SSL_read, or by SSL_write_ex and SSL_read_ex in turn; then it is freed without a shutdown.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 4) return fail("usage: PORT CONNECTIONS SIZE");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size_t size = atoi(argv[3]);
    char *request = malloc(size + 200), *answer = malloc(size + 200);
    int head = sprintf(request, "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: %zu\r\n\r\n", size);
    memset(request + head, 's', size);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    for (int number = 0; number < atoi(argv[2]); number++) {
        int handle = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(handle, (struct sockaddr *)&address, sizeof address)) return fail("connect");
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, handle);
        if (SSL_connect(ssl) != 1) return fail("SSL_connect");
        size_t moved, have = 0;
        if (number % 2 ? SSL_write_ex(ssl, request, head + size, &moved) != 1 : SSL_write(ssl, request, head + size) <= 0) return fail("write");
        for (;;) {
            if (number % 2) {
                if (SSL_read_ex(ssl, answer + have, size + 200 - have, &moved) != 1) return fail("SSL_read_ex");
            } else {
                int count = SSL_read(ssl, answer + have, size + 200 - have);
                if (count <= 0) return fail("SSL_read");
                moved = count;
            }
            have += moved;
            char *end = memmem(answer, have, "\r\n\r\n", 4);
            if (end && have == (size_t)(end + 4 - answer) + size) break;
        }
        SSL_free(ssl);
        close(handle);
    }
    return 0;
}
