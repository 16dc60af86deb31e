//  weft_calibration.c - see weft_calibration.h. Applying; the fits are in
//  weft_calibration_fit.c.

#include "weft_calibration.h"

#include "weft_forest.h"

#include <math.h>

static const char *const names[] = {
    [WEFT_CALIBRATION_NONE] = "none",
    [WEFT_CALIBRATION_TEMPERATURE] = "temperature",
    [WEFT_CALIBRATION_BCTS] = "bcts",
    [WEFT_CALIBRATION_PLATT] = "platt",
    [WEFT_CALIBRATION_ISOTONIC] = "isotonic",
};

const char *
weft_calibration_name (const weft_calibration_t *self)
{
    return names[self->kind];
}

static bool
is_temperature (float value)
{
    return value > 0 && isfinite (value);
}

//  Steps x, then y, both rising.
static bool
is_isotonic (const weft_calibration_t *self, uint32_t classes)
{
    uint32_t n = self->n / 2;
    if (classes != 2 || self->n % 2 || n < 1)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        float y = self->data[n + i];
        if (!(y >= 0 && y <= 1))
            return false;
        if (i &&
            (self->data[i] <= self->data[i - 1] || y < self->data[n + i - 1]))
            return false;
    }
    return true;
}

static bool
fits (const weft_calibration_t *self, uint32_t classes)
{
    switch (self->kind) {
    case WEFT_CALIBRATION_NONE:
        return self->n == 0;
    case WEFT_CALIBRATION_TEMPERATURE:
        return self->n == 1 && is_temperature (self->data[0]);
    case WEFT_CALIBRATION_BCTS:
        return self->n == classes + 1 && is_temperature (self->data[0]);
    case WEFT_CALIBRATION_PLATT:
        return self->n == 2 && classes == 2;
    case WEFT_CALIBRATION_ISOTONIC:
        return is_isotonic (self, classes);
    }
    return false;
}

int
weft_calibration_set (weft_calibration_t *self,
                      weft_str_t name,
                      weft_col_t data,
                      uint32_t classes)
{
    size_t kind = 0;
    while (kind < WEFT_COUNT (names) && !weft_str_is (name, names[kind]))
        kind++;
    if (kind == WEFT_COUNT (names))
        return WEFT_EVERSION;
    if (data.n > WEFT_CALIBRATION_MOST)
        return WEFT_ERANGE;
    self->kind = (weft_calibration_kind_t)kind;
    self->n = data.n;
    for (uint32_t i = 0; i < data.n; i++) {
        self->data[i] = weft_col_f32 (data, i);
        if (!isfinite (self->data[i]))
            return WEFT_ERANGE;
    }
    return fits (self, classes) ? 0 : WEFT_ERANGE;
}

static void
set_two (float *p, double p1)
{
    p[1] = (float)p1;
    p[0] = (float)(1 - p1);
}

//  Linear between steps, flat beyond them.
static double
interpolate (const weft_calibration_t *self, float x)
{
    uint32_t n = self->n / 2;
    const float *xs = self->data;
    const float *ys = self->data + n;
    if (x <= xs[0])
        return (double)ys[0];
    for (uint32_t i = 1; i < n; i++)
        if (x < xs[i]) {
            float share = (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
            return (double)(ys[i - 1] + share * (ys[i] - ys[i - 1]));
        }
    return (double)ys[n - 1];
}

void
weft_calibration_apply (const weft_calibration_t *self,
                        float *margins,
                        uint32_t classes)
{
    if (self->kind == WEFT_CALIBRATION_PLATT) {
        double z = (double)(margins[1] - margins[0]);
        double at = (double)self->data[0] * z + (double)self->data[1];
        set_two (margins, 1 / (1 + exp (-at)));
        return;
    }
    if (self->kind == WEFT_CALIBRATION_TEMPERATURE ||
        self->kind == WEFT_CALIBRATION_BCTS)
        for (uint32_t k = 0; k < classes; k++)
            margins[k] = margins[k] / self->data[0] +
                         (self->n > 1 ? self->data[1 + k] : 0);
    weft_softmax (margins, classes);
    if (self->kind == WEFT_CALIBRATION_ISOTONIC)
        set_two (margins, interpolate (self, margins[1]));
}
