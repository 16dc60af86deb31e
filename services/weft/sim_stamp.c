//  sim_stamp.c - image stamps as gzipped FITS, made without a compressor.

#include <zlib.h>

#include "sim_math.h"
#include "sim_stamp.h"
#include "weft_hash.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define SIDE_MOST 63
#define FITS_BLOCK 2880
#define NOISE 4096  //  numbers in the table of noise
#define CEILING (1 << 16)

struct sim_stamper {
    int side;
    uint32_t tail;      //  bytes of padding after the pixels
    uint32_t checksum;  //  CRC of the FITS header
    weft_buf_t before;  //  gzip up to the pixels
    weft_buf_t after;   //  DEFLATE of the padding
    weft_buf_t out[SIM_N_STAMPS];
    float noise[NOISE];
    uint8_t pixels[SIDE_MOST * SIDE_MOST * 4];
};

//  Bits into bytes, low bit first (RFC 1951).
typedef struct {
    weft_buf_t *out;
    uint32_t bits;
    int n;
} bits_t;

static void
put_bits (bits_t *self, uint32_t value, int n)
{
    self->bits |= value << self->n;
    self->n += n;
    while (self->n >= 8) {
        uint8_t byte = (uint8_t)self->bits;
        weft_buf_add (self->out, &byte, 1);
        self->bits >>= 8;
        self->n -= 8;
    }
}

//  A Huffman code goes in with its high bit first.
static void
put_code (bits_t *self, uint32_t code, int n)
{
    uint32_t turned = 0;
    for (int i = 0; i < n; i++)
        turned |= (code >> i & 1) << (n - 1 - i);
    put_bits (self, turned, n);
}

//  The fixed codes: literals 0-143 and the lengths 3-10 and 258.
static void
put_literal (bits_t *self, uint8_t byte)
{
    assert (byte < 144);
    put_code (self, 0x30u + byte, 8);
}

static void
put_repeat (bits_t *self, uint32_t length)
{
    assert ((length >= 3 && length <= 10) || length == 258);
    if (length == 258)
        put_code (self, 0xc0 + 285 - 280, 8);
    else
        put_code (self, 257 + length - 3 - 256, 7);
    put_code (self, 0, 5);  //  distance 1
}

//  One block of fixed codes; only runs of one byte are found.
static void
put_block (bits_t *self, const uint8_t *data, uint32_t size, bool last)
{
    put_bits (self, last, 1);
    put_bits (self, 1, 2);
    for (uint32_t i = 0; i < size;) {
        put_literal (self, data[i++]);
        uint32_t run = 0;
        while (i + run < size && data[i + run] == data[i - 1])
            run++;
        while (run >= 3) {
            uint32_t take = run >= 258 ? 258 : WEFT_MIN (run, 10);
            put_repeat (self, take);
            i += take;
            run -= take;
        }
    }
    put_code (self, 0, 7);
}

static void
fits_header (int side, uint8_t block[FITS_BLOCK])
{
    char card[7][81];
    memset (block, ' ', FITS_BLOCK);
    snprintf (card[0], 81, "SIMPLE  = %20s", "T");
    snprintf (card[1], 81, "BITPIX  = %20d", -32);
    snprintf (card[2], 81, "NAXIS   = %20d", 2);
    snprintf (card[3], 81, "NAXIS1  = %20d", side);
    snprintf (card[4], 81, "NAXIS2  = %20d", side);
    snprintf (card[5], 81, "BUNIT   = 'DN      '");
    snprintf (card[6], 81, "END");
    for (int i = 0; i < 7; i++)
        memcpy (block + (size_t)80 * i, card[i], strlen (card[i]));
}

//  Everything but the pixels and the checksum is the same in each stamp.
static void
make_frame (sim_stamper_t *self)
{
    static const uint8_t magic[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
    static const uint8_t zeros[FITS_BLOCK];
    uint8_t header[FITS_BLOCK];
    fits_header (self->side, header);
    self->checksum = (uint32_t)crc32 (0, header, sizeof header);
    uint32_t size = (uint32_t)(self->side * self->side * 4);
    self->tail = (FITS_BLOCK - size % FITS_BLOCK) % FITS_BLOCK;
    weft_buf_add (&self->before, magic, sizeof magic);
    bits_t bits = { .out = &self->before };
    put_block (&bits, header, sizeof header, false);
    put_bits (&bits, 0, 3);  //  a stored block, not the last
    put_bits (&bits, 0, (8 - bits.n) % 8);
    uint8_t length[4] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)~size,
                          (uint8_t)(~size >> 8) };
    weft_buf_add (&self->before, length, sizeof length);
    bits = (bits_t){ .out = &self->after };
    put_block (&bits, zeros, self->tail, true);
    put_bits (&bits, 0, (8 - bits.n) % 8);
}

sim_stamper_t *
sim_stamper_new (int side)
{
    assert (side > 0 && side <= SIDE_MOST);
    sim_stamper_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->side = side;
    weft_buf_init (&self->before, CEILING);
    weft_buf_init (&self->after, CEILING);
    for (int i = 0; i < SIM_N_STAMPS; i++)
        weft_buf_init (&self->out[i], CEILING);
    sim_rng_t rng = sim_rng (0, 0x57a, 0);
    for (int i = 0; i < NOISE; i++)
        self->noise[i] = (float)sim_normal (&rng, 0, 1);
    make_frame (self);
    if (self->before.error || self->after.error)
        sim_stamper_destroy (&self);
    return self;
}

void
sim_stamper_destroy (sim_stamper_t **self_p)
{
    sim_stamper_t *self = *self_p;
    if (!self)
        return;
    weft_buf_fini (&self->before);
    weft_buf_fini (&self->after);
    for (int i = 0; i < SIM_N_STAMPS; i++)
        weft_buf_fini (&self->out[i]);
    free (self);
    *self_p = NULL;
}

//  A round Gaussian is a product of two profiles; `flux` is its sum.
typedef struct {
    double flux;
    float x[SIDE_MOST], y[SIDE_MOST];
} blob_t;

static void
make_profile (float *profile, int side, double centre, double sigma)
{
    for (int i = 0; i < side; i++) {
        double d = (i - (side - 1) * 0.5 - centre) / sigma;
        double p = d * d < 60 ? sim_exp (-0.5 * d * d) : 0;
        profile[i] = (float)(p / (sigma * 2.5066282746310002));
    }
}

static void
make_blob (
    blob_t *self, int side, double flux, double x, double y, double sigma)
{
    self->flux = flux;
    make_profile (self->x, side, x, sigma);
    make_profile (self->y, side, y, sigma);
}

static void
put_pixels (sim_stamper_t *self,
            const blob_t *blobs,
            int n,
            double noise,
            uint32_t start)
{
    int side = self->side;
    uint8_t *at = self->pixels;
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++, at += 4) {
            float value = (float)noise * self->noise[start++ % NOISE];
            for (int b = 0; b < n; b++)
                value += (float)blobs[b].flux * blobs[b].x[x] * blobs[b].y[y];
            uint32_t bits;
            memcpy (&bits, &value, 4);
            //  FITS is big-endian.
            weft_put_u32 (at, __builtin_bswap32 (bits));
        }
    }
}

static int
close_stamp (sim_stamper_t *self, weft_buf_t *out, sim_stamp_t *stamp)
{
    static const uint8_t zeros[FITS_BLOCK];
    uint32_t size = (uint32_t)(self->side * self->side * 4);
    uLong crc = crc32 (self->checksum, self->pixels, size);
    crc = crc32 (crc, zeros, self->tail);
    uint8_t trailer[8];
    weft_put_u32 (trailer, (uint32_t)crc);
    weft_put_u32 (trailer + 4, FITS_BLOCK + size + self->tail);
    weft_buf_clear (out);
    weft_buf_add (out, self->before.data, self->before.size);
    weft_buf_add (out, self->pixels, size);
    weft_buf_add (out, self->after.data, self->after.size);
    weft_buf_add (out, trailer, sizeof trailer);
    stamp->data = out->data;
    stamp->size = out->size;
    return out->error;
}

int
sim_stamper_make (sim_stamper_t *self,
                  const sim_scene_t *scene,
                  sim_stamp_t stamps[SIM_N_STAMPS])
{
    blob_t blobs[4] = { 0 };
    double sigma = scene->fwhm / 2.3548;
    make_blob (&blobs[0], self->side, scene->reference, 0, 0, sigma);
    make_blob (&blobs[1], self->side, scene->host, scene->host_x, scene->host_y,
               2 * sigma);
    double change = scene->dipole ? 6 * scene->change : scene->change;
    double off = scene->dipole ? 0.7 : 0;
    make_blob (&blobs[2], self->side, change, off, 0, sigma);
    make_blob (&blobs[3], self->side, -0.95 * change, -off, 0.2, sigma);
    int changes = scene->dipole ? 2 : 1;
    uint32_t start = (uint32_t)weft_hash_u64 (scene->seed) % NOISE;
    put_pixels (self, blobs, 2 + changes, scene->noise, start);
    int rc = close_stamp (self, &self->out[0], &stamps[SIM_SCIENCE]);
    put_pixels (self, blobs, 2, scene->noise * 0.3, start * 7);
    if (!rc)
        rc = close_stamp (self, &self->out[1], &stamps[SIM_TEMPLATE]);
    put_pixels (self, blobs + 2, changes, scene->noise, start * 13);
    if (!rc)
        rc = close_stamp (self, &self->out[2], &stamps[SIM_DIFFERENCE]);
    return rc;
}
