//  weft_config.h - a service's configuration: one YAML file, then overrides.
//
//  Options are described by a table, one line each. From the same table come
//  the libcyaml schema that checks the file, the defaults, the overrides
//  (WEFT__SECTION__KEY in the environment), the text of --describe, and errors
//  that name file, line, field and what was expected. Loading is all or
//  nothing. Called before threads start, and on SIGHUP from the loop.

#ifndef WEFT_CONFIG_H_INCLUDED
#define WEFT_CONFIG_H_INCLUDED

#include "weft_base.h"

typedef enum {
    WEFT_OPTION_BOOL,   //  bool
    WEFT_OPTION_INT,    //  int64_t, within min and max
    WEFT_OPTION_REAL,   //  double, within min and max
    WEFT_OPTION_TEXT,   //  char *, owned by the configuration, never NULL
    WEFT_OPTION_TEXTS,  //  weft_texts_t
    WEFT_OPTION_LIST,   //  weft_list_t of structs described by `sub`
} weft_option_kind_t;

typedef struct {
    char **items;
    uint32_t n;
} weft_texts_t;

typedef struct {
    void *items;  //  array of structs of `sub_size` bytes
    uint32_t n;
} weft_list_t;

typedef struct weft_option {
    const char *key;  //  NULL ends the table
    weft_option_kind_t kind;
    size_t offset;         //  in the options struct
    const char *fallback;  //  the default as text; NULL = must be given;
                           //  lists: "" = empty by default
    double min, max;       //  numbers: the range, inclusive
    const struct weft_option *sub;  //  LIST: the table of one element
    size_t sub_size;                //  LIST: size of one element
    const char *unit;
    const char *meaning;
} weft_option_t;

//  One line of a table. S is the options struct.
#define WEFT_OPT_BOOL(S, key, fallback, meaning)                               \
    {                                                                          \
#key, WEFT_OPTION_BOOL, offsetof(S, key), fallback, 0, 1, NULL, 0, "", \
            meaning                                                            \
    }
#define WEFT_OPT_INT(S, key, fallback, min, max, unit, meaning)                \
    {                                                                          \
#key, WEFT_OPTION_INT, offsetof(S, key), fallback, min, max, NULL, 0,  \
            unit, meaning                                                      \
    }
#define WEFT_OPT_REAL(S, key, fallback, min, max, unit, meaning)               \
    {                                                                          \
#key, WEFT_OPTION_REAL, offsetof(S, key), fallback, min, max, NULL, 0, \
            unit, meaning                                                      \
    }
#define WEFT_OPT_TEXT(S, key, fallback, meaning)                               \
    {                                                                          \
#key, WEFT_OPTION_TEXT, offsetof(S, key), fallback, 0, 0, NULL, 0, "", \
            meaning                                                            \
    }
#define WEFT_OPT_TEXTS(S, key, meaning)                                        \
    {                                                                          \
#key, WEFT_OPTION_TEXTS, offsetof(S, key), "", 0, 0, NULL, 0, "",      \
            meaning                                                            \
    }
#define WEFT_OPT_LIST(S, key, table, E, meaning)                               \
    {                                                                          \
#key, WEFT_OPTION_LIST, offsetof(S, key), "", 0, 0, table, sizeof(E),  \
            "", meaning                                                        \
    }
#define WEFT_OPT_END                                                           \
    {                                                                          \
        NULL, WEFT_OPTION_BOOL, 0, NULL, 0, 0, NULL, 0, NULL, NULL             \
    }

//  A named part of the file: "redis:", "link:", "options:".
typedef struct {
    const char *name;
    const weft_option_t *options;
    void *into;  //  the struct to fill; freed by weft_config_free
    size_t size;
} weft_config_section_t;

//  Reads `path` (NULL: defaults and overrides only) into all sections; what the
//  structs held before is overwritten, not freed. On error nothing is filled
//  and `why` says file, line, field, what was expected: WEFT_ECONFIG. Sections
//  and keys that nobody knows are errors, in the file and in the environment.
WEFT_CHECK int weft_config_load (const char *path,
                                 weft_config_section_t *sections,
                                 size_t n_sections,
                                 char *why,
                                 size_t room);

//  Frees what loading allocated in the structs. Safe on zeros.
void weft_config_free (weft_config_section_t *sections, size_t n_sections);

//  Writes the options as a Markdown table, for --describe.
void weft_config_describe (const weft_config_section_t *sections,
                           size_t n_sections,
                           FILE *out);

#endif
