//  weft_model_pack.h - a trained model as a section and as a directory.
//
//  The section (model.v1) is what Redis holds and the classifier loads. The
//  directory is the same for people and other tools: model.ubj, features.txt,
//  classes.txt, calib.json, card.json, and model.v1, the section itself. No
//  state, any thread.

#ifndef WEFT_MODEL_PACK_H_INCLUDED
#define WEFT_MODEL_PACK_H_INCLUDED

#include "weft_calibration.h"
#include "weft_features.h"
#include "weft_scorer.h"

typedef struct {
    const char *name;
    const weft_feature_set_t *set;
    const char *classes;  //  "a,b,c"
    const weft_calibration_t *calibration;
    const weft_buf_t *ubj;
    const char *card;  //  JSON; no times, or no training gives the same version
    double created_at;  //  MJD TAI
} weft_model_parts_t;

//  Writes the section into `out` (cleared first) and its version.
WEFT_CHECK int weft_model_pack (const weft_model_parts_t *parts,
                                weft_buf_t *out,
                                char version[WEFT_VERSION_SIZE]);

//  Writes the directory, made if it is not there. WEFT_EIO names the file in
//  `why`.
WEFT_CHECK int weft_model_write_dir (const weft_model_parts_t *parts,
                                     const weft_buf_t *section,
                                     const char *dir,
                                     char *why,
                                     size_t room);

#endif
