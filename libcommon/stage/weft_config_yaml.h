//  weft_config_yaml.h - the YAML side of weft_config: libcyaml stops here.
//
//  Builds a libcyaml schema from option tables at run time. All scalars are
//  loaded as text; weft_config turns them into numbers, so that a file, an
//  override and a default are judged by the same code. Private to weft_config;
//  one thread at a time.

#ifndef WEFT_CONFIG_YAML_H_INCLUDED
#define WEFT_CONFIG_YAML_H_INCLUDED

#include "weft_config.h"

//  One option as the file has it: NULL if the file does not name it.
typedef struct {
    void *p;     //  scalar: char *; TEXTS: char *[n]; LIST: weft_raw_t [n][k]
    uint32_t n;  //  TEXTS and LIST: elements
} weft_raw_t;

typedef struct weft_yaml weft_yaml_t;

//  Returns new: the file's content by the tables, or NULL with `why`. An empty
//  file is valid. Borrows the sections' tables for life.
WEFT_NEW weft_yaml_t *weft_yaml_load (const char *path,
                                      const weft_config_section_t *sections,
                                      size_t n_sections,
                                      char *why,
                                      size_t room);

void weft_yaml_destroy (weft_yaml_t **self_p);

//  The options of a section in table order; NULL if the file does not name it.
//  Borrows until destroy.
const weft_raw_t *weft_yaml_section (const weft_yaml_t *self, size_t section);

//  The line of an option's value (1 = the first), 0 if it cannot be told. For
//  the option of a list's elements, `fine` is that option's slot in the first
//  element, `stride` the slots of one element, and the first `n_fine` elements
//  are not the one that is meant.
uint32_t weft_yaml_line (const weft_yaml_t *self,
                         size_t section,
                         const weft_option_t *option,
                         const weft_raw_t *fine,
                         size_t stride,
                         size_t n_fine);

#endif
