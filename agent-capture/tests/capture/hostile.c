/* A program that misuses a TLS library: usage: hostile MODE LIBRARY [COUNT]. Prints how many bytes its calls claimed to have moved. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void (*set_hook)(int (*)(void));
static int (*ssl_write)(void *, const void *, int);
static int (*ssl_read)(void *, void *, int);
static int (*ssl_write_ex)(void *, const void *, unsigned long, unsigned long *);
static int (*ssl_shutdown)(void *);
static void (*ssl_free)(void *);
static void *library;

static void load(const char *path) {
    library = dlopen(path, RTLD_NOW);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); exit(2); }
    *(void **)&set_hook = dlsym(library, "fake_hook");
    *(void **)&ssl_write = dlsym(library, "SSL_write");
    *(void **)&ssl_read = dlsym(library, "SSL_read");
    *(void **)&ssl_write_ex = dlsym(library, "SSL_write_ex");
    *(void **)&ssl_shutdown = dlsym(library, "SSL_shutdown");
    *(void **)&ssl_free = dlsym(library, "SSL_free");
}

static char request[65536];
static uint64_t moved;
static jmp_buf back;
static int result;

static int told(void) { return result; }
static int scribble(void) { memset(request, 'X', sizeof request); return result; }
static int leap(void) { longjmp(back, 1); }
static int split(void) {
    pid_t child = fork();
    if (child == 0) {
        /* On the stack, because memory that nobody has touched cannot be read by a probe. */
        char own[32];
        strcpy(own, "GET /child HTTP/1.1\r\n\r\n");
        set_hook(0);
        ssl_write((void *)0x7000, own, 23);
        _exit(0);
    }
    waitpid(child, 0, 0);
    return result;
}
static int die(void) { kill(getpid(), 9); return 0; }

static void *handle(uint64_t number) { return (void *)(uintptr_t)(0x10000 + number * 16); }

static void begin(void) {
    memset(request, 'a', sizeof request);
    memcpy(request, "POST /v1/x HTTP/1.1\r\n", 21);
}

static void write_one(uint64_t number, int length) {
    moved += length > 0 ? length : 0;
    ssl_write(handle(number), request, length);
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    const char *mode = arguments[1];
    uint64_t times = count > 3 ? strtoull(arguments[3], 0, 10) : 1000;
    load(arguments[2]);
    begin();
    if (!strcmp(mode, "scribble")) {
        set_hook(scribble);
        for (uint64_t turn = 0; turn < times; turn++) { begin(); result = 4000; write_one(1, 4000); }
    } else if (!strcmp(mode, "wild")) {
        static const uint64_t pointers[] = {0, 1, 0xffff888000000000ull, 0xffffffffff600000ull, ~0ull, 0x8000000000000000ull, ~0ull - 8};
        static const int lengths[] = {1, 9, 65536, 0x7fffffff, -1, (int)0x80000000, 0};
        set_hook(told);
        for (unsigned p = 0; p < sizeof pointers / sizeof *pointers; p++)
            for (unsigned l = 0; l < sizeof lengths / sizeof *lengths; l++) {
                result = lengths[l];
                moved += 2 * (result > 0 ? (uint64_t)result : 0);
                ssl_write((void *)(uintptr_t)(p * 1000 + l), (void *)(uintptr_t)pointers[p], result);
                ssl_read((void *)(uintptr_t)pointers[p], (void *)(uintptr_t)pointers[p], result);
                result = 1;
                ssl_write_ex((void *)(uintptr_t)(p * 1000 + l), (void *)(uintptr_t)pointers[p], ~0ul, (unsigned long *)(uintptr_t)(pointers[p] ? pointers[p] : 8));
            }
    } else if (!strcmp(mode, "longer")) {
        /* More than it was given to write; and more than there is. */
        set_hook(told);
        for (uint64_t turn = 0; turn < times; turn++) {
            result = 0x1000000;
            ssl_write(handle(1), request, 100);
            write_one(2, result);
        }
    } else if (!strcmp(mode, "fork")) {
        set_hook(split);
        for (uint64_t turn = 0; turn < times; turn++) { result = 100; moved += 100; ssl_write(handle(1), request, 100); }
    } else if (!strcmp(mode, "longjmp")) {
        for (volatile uint64_t turn = 0; turn < times; turn++) {
            set_hook(leap);
            if (!setjmp(back)) ssl_write(handle(turn), request, 4000);
            set_hook(0);
            write_one(turn, 4000);
            ssl_free(handle(turn));
        }
    } else if (!strcmp(mode, "unload")) {
        for (uint64_t turn = 0; turn < times; turn++) {
            write_one(1, 4000);
            dlclose(library);
            load(arguments[2]);
        }
    } else if (!strcmp(mode, "leak")) {
        for (uint64_t turn = 0; turn < times; turn++) write_one(turn, 100);
    } else if (!strcmp(mode, "handles")) {
        for (uint64_t turn = 0; turn < times; turn++) { write_one(turn, 100); ssl_free(handle(turn)); }
    } else if (!strcmp(mode, "head")) {
        /* A head that does not end. */
        for (uint64_t turn = 0; turn < times; turn++) { write_one(1, 65536); if (turn == 0) memset(request, 'h', sizeof request); }
    } else if (!strcmp(mode, "die")) {
        write_one(1, 4000);
        printf("%llu\n", (unsigned long long)moved);
        fflush(stdout);
        set_hook(die);
        ssl_write(handle(1), request, 4000);
    } else {
        return 2;
    }
    printf("%llu\n", (unsigned long long)moved);
    return 0;
}
