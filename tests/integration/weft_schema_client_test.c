//  weft_schema_client_test.c - a registry that answers for some ids only.

#include "../unit/testing.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/remove_tree.h"
#include "weft_log.h"
#include "weft_schema_client.h"

enum { ILL = 7, WELL = 8, CACHED = 9, IDS = 16, WAIT_MS = 1000 };

static int listener;
static char url[64];
static atomic_int asked[IDS];

//  The registry cannot answer ILL; all others are a schema.
static void
answer (int fd)
{
    char request[4096] = "", reply[256];
    size_t size = 0;
    ssize_t n = 1;
    while (n > 0 && size < sizeof request - 1 && !strstr (request, "\r\n\r\n"))
        if ((n = recv (fd, request + size, sizeof request - 1 - size, 0)) > 0)
            request[size += (size_t)n] = 0;
    const char *id = strstr (request, "/ids/");
    long number = id ? strtol (id + 5, NULL, 10) : 0;
    const char *body = "{\"schema\": \"\\\"int\\\"\"}";
    if (number > 0 && number < IDS)
        atomic_fetch_add (&asked[number], 1);
    int length = snprintf (
        reply, sizeof reply,
        "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        number == ILL ? "500 Ill" : "200 OK", strlen (body), body);
    (void)!send (fd, reply, (size_t)length, MSG_NOSIGNAL);
}

static void *
serve (void *arg)
{
    (void)arg;
    int fd;
    while ((fd = accept (listener, NULL, NULL)) >= 0) {
        answer (fd);
        close (fd);
    }
    return NULL;
}

static weft_schema_client_t *
new_client (const char *cache)
{
    char why[WEFT_SCHEMA_WHY];
    const weft_schema_client_config_t config = {
        .url = url, .login_file = "", .ca_file = "", .cache = cache
    };
    memset (asked, 0, sizeof asked);
    weft_schema_client_t *client = weft_schema_client_new (&config, why);
    assert_non_null (client);
    return client;
}

//  Until an id was asked for so often; as ILL is always wanted, it would be
//  asked for ever.
static void
turn_until (weft_schema_client_t *client, int id, int times)
{
    while (atomic_load (&asked[id]) < times && atomic_load (&asked[ILL]) < 4)
        weft_schema_client_wait (client, WAIT_MS);
    assert_true (atomic_load (&asked[id]) >= times);
}

static void
an_id_without_an_answer_holds_up_no_other (void **state)
{
    (void)state;
    weft_schema_client_t *client = new_client ("");
    (void)weft_schema_client_ask (client, ILL);
    turn_until (client, ILL, 1);
    (void)weft_schema_client_ask (client, WELL);
    turn_until (client, WELL, 1);
    //  And it is asked for again itself.
    turn_until (client, ILL, 2);
    while (weft_schema_client_ask (client, WELL) != WEFT_SCHEMA_KNOWN)
        weft_schema_client_wait (client, WAIT_MS);
    assert_int_equal (weft_schema_client_ask (client, ILL), WEFT_SCHEMA_COMING);
    assert_int_equal (atomic_load (&asked[WELL]), 1);
    weft_schema_client_destroy (&client);
}

//  What the cache has is asked for, too: ids can lie.
static void
nor_the_look_whether_a_known_one_lies (void **state)
{
    (void)state;
    char folder[] = "/tmp/weft-schemas-XXXXXX";
    assert_non_null (mkdtemp (folder));
    weft_schema_client_t *client = new_client (folder);
    while (weft_schema_client_ask (client, CACHED) != WEFT_SCHEMA_KNOWN)
        weft_schema_client_wait (client, WAIT_MS);
    weft_schema_client_destroy (&client);
    client = new_client (folder);
    (void)weft_schema_client_ask (client, ILL);
    assert_int_equal (weft_schema_client_ask (client, CACHED),
                      WEFT_SCHEMA_KNOWN);
    turn_until (client, CACHED, 1);
    weft_schema_client_destroy (&client);
    assert_int_equal (remove_tree (folder), 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (an_id_without_an_answer_holds_up_no_other),
        cmocka_unit_test (nor_the_look_whether_a_known_one_lies),
    };
    pthread_t thread;
    struct sockaddr_in place = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof place;
    weft_log_init ("test", WEFT_ERROR);
    listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind (listener, (struct sockaddr *)&place, size) ||
        listen (listener, 16) ||
        getsockname (listener, (struct sockaddr *)&place, &size) ||
        pthread_create (&thread, NULL, serve, NULL))
        return 1;
    snprintf (url, sizeof url, "http://127.0.0.1:%d", ntohs (place.sin_port));
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    shutdown (listener, SHUT_RDWR);
    pthread_join (thread, NULL);
    close (listener);
    return failed;
}
