//  weft_mapping.h - mapping files: a survey, or a new schema of one, as text.
//
//  A mapping says which of a writer's fields are which of a known survey's, and
//  in which unit. NAME.map, a line each, # begins a comment:
//
//    survey  desirt            # its name in alert.v1
//    like    lsst              # whose rules it follows: ztf, lsst
//    schemas desirt.alert      # full names of its schemas begin so
//    diaSource.psfFlux = source.flux * 1000       # theirs x 1000 is in nJy
//    diaSource.midpointMjdTai = source.jd - 2400000.5
//    prvDiaSources = history                      # an array by another name
//
//  On the left are names of the survey that it is like (README.md lists them);
//  what is not named has the same name in both. A group (record or array) that
//  is renamed is renamed for all its fields; the part before the dot on the
//  right is for people. Files come before the surveys that are built in, the
//  longest `schemas` that fits first; a schema that lacks the core by a mapping
//  is read by the survey that is built in, if that can.
//
//  A set does not change after it is made: any thread may read it.

#ifndef WEFT_MAPPING_H_INCLUDED
#define WEFT_MAPPING_H_INCLUDED

#include "weft_survey.h"

#define WEFT_MAPPINGS_MOST 64        //  files of a folder
#define WEFT_MAPPING_LINES_MOST 512  //  of a file

typedef struct weft_mappings weft_mappings_t;

//  Returns new: the mappings of a folder (*.map), which may have none. NULL
//  with a reason that names the file and the line.
WEFT_NEW weft_mappings_t *weft_mappings_new (const char *folder,
                                             char why[WEFT_AVRO_WHY]);

void weft_mappings_destroy (weft_mappings_t **self_p);

//  Reads the folder again if it has changed: 1, and *self_p is another set; 0 if
//  it has not; WEFT_ECONFIG with a reason, told once, and the set stays. What
//  the old set gave stays valid for the life of the new one.
WEFT_CHECK int weft_mappings_renew (weft_mappings_t **self_p,
                                    char why[WEFT_AVRO_WHY]);

size_t weft_mappings_count (const weft_mappings_t *self);

//  The survey of a schema by its full name, or NULL. Borrows for life.
const weft_survey_t *weft_mappings_find (const weft_mappings_t *self,
                                         const char *schema_name);

#endif
