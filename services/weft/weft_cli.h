//  weft_cli.h - what the operator's commands on Redis share. One thread.

#ifndef WEFT_CLI_H_INCLUDED
#define WEFT_CLI_H_INCLUDED

#include "weft_redis.h"

#define WEFT_CLI_REDIS_HELP                                                    \
    "  --redis ADDR   unix:/path or host:port (default: "                      \
    "WEFT__REDIS__ADDRESS,\n"                                                  \
    "                 else 127.0.0.1:6379)\n"

//  Returns new: a connection to `address`, or to the default if it is NULL. On
//  a bad address or a Redis that does not answer, says so and returns NULL;
//  *exit_code is then 2 or 1.
WEFT_NEW weft_redis_t *
weft_cli_redis (const char *command, const char *address, int *exit_code);

//  The same to where histories, `seen` and the ledger are: `address`, or the
//  cluster of WEFT__REDIS__CLUSTER, or that one Redis.
WEFT_NEW weft_redis_t *
weft_cli_redis_bulk (const char *command, const char *address, int *exit_code);

//  Reads --json, --redis ADDR and --help, and nothing else; `help` prints the
//  command's. Returns -1 to go on, else an exit code. *address borrows from
//  argv.
int weft_cli_options (int argc,
                      char *argv[],
                      void (*help) (FILE *out),
                      const char **address,
                      bool *json);

//  Says that a command failed, and returns exit code 1.
int weft_cli_failed (const char *command, const char *what, int rc);

//  As weft_cli_failed, of something that was asked of Redis: if that is why,
//  says which Redis, and what it said.
int weft_cli_lost (const char *command,
                   const char *what,
                   const weft_redis_t *redis,
                   int rc);

//  Text that somebody else chose, as JSON: where it is no UTF-8 (names of files
//  need not be), its bytes beyond ASCII are written \\xNN. Returns new.
struct json_t;
WEFT_NEW struct json_t *weft_cli_text (const char *text, size_t size);

//  The same for people: control characters, which a terminal would obey, are
//  written \\xNN. Returns `out`; what has no room is cut.
const char *
weft_cli_plain (char *out, size_t room, const char *text, size_t size);

//  Prints a JSON value with a newline and drops the reference to it. Returns 0,
//  or exit code 1 without memory.
int weft_cli_print (struct json_t *json, size_t flags);

#endif
