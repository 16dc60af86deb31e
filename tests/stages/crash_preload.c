//  crash_preload.c - kills a process as it parses one schema.
//
//  LD_PRELOAD=libcrash_preload.so, and WEFT_TEST_CRASH is a word: a schema that
//  has it is one that avro-c dies of.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int (parse_t) (const char *, size_t, void *);

//  As declared by avro.h.
parse_t avro_schema_from_json_length;

int
avro_schema_from_json_length (const char *json, size_t size, void *schema)
{
    const char *word = getenv ("WEFT_TEST_CRASH");
    if (word && memmem (json, size, word, strlen (word)))
        raise (SIGKILL);
    parse_t *next =
        (parse_t *)(uintptr_t)dlsym (RTLD_NEXT, "avro_schema_from_json_length");
    return next (json, size, schema);
}
