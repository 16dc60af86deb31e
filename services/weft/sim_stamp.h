//  sim_stamp.h - image stamps as gzipped FITS, made without a compressor.
//
//  A general compressor may write other bytes in its next version. Here the
//  header and the padding are runs that a few lines of DEFLATE's fixed codes
//  hold, and noise does not compress anyway: the pixels are a stored block.
//  One thread at a time.

#ifndef WEFT_SIM_STAMP_H_INCLUDED
#define WEFT_SIM_STAMP_H_INCLUDED

#include "sim_record.h"

//  What three stamps show; all light in DN.
typedef struct {
    uint64_t seed;     //  of the noise
    double reference;  //  star at the centre of science and template
    double change;     //  difference at the centre, signed
    double host;       //  galaxy, at east, north px from the centre
    double host_x, host_y;
    double fwhm;   //  px
    double noise;  //  per pixel
    bool dipole;   //  the change is two signs side by side
} sim_scene_t;

typedef struct sim_stamper sim_stamper_t;

//  Returns new: makes stamps of side x side pixels (at most 63); NULL without
//  memory.
WEFT_NEW sim_stamper_t *sim_stamper_new (int side);
void sim_stamper_destroy (sim_stamper_t **self_p);

//  Fills data and size of three stamps, borrowed until the next call.
//  The buffer's error if they do not fit.
WEFT_CHECK int sim_stamper_make (sim_stamper_t *self,
                                 const sim_scene_t *scene,
                                 sim_stamp_t stamps[SIM_N_STAMPS]);

#endif
