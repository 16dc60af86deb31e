//  weft_forest_load.c - a forest out of XGBoost's model file.
//
//  The file is an object: learner { gradient_booster { model { trees,
//  tree_info }, name }, learner_model_param { base_score, num_class,
//  num_feature }, objective { name } }, all numbers of the params as text.
//  The parameters stand behind the trees, so it is read twice.

#include "weft_forest_parts.h"

#include <math.h>

typedef struct {
    weft_forest_t *forest;
    weft_forest_nodes_t made;
    weft_buf_t classes;  //  uint32_t for each tree, from tree_info
    bool trees_now;      //  the second reading
    bool softprob, gbtree;
    uint32_t bases;  //  numbers in base_score
    char *why;
} loader_t;

static int
refuse (loader_t *self, int rc, const char *why)
{
    if (!self->why[0])
        snprintf (self->why, WEFT_FOREST_WHY, "%s", why);
    return rc;
}

//  For each key of an object: `take` reads or skips its value.
typedef int (*take_fn) (loader_t *self, weft_ubj_t *in, weft_str_t key);

static int
each_key (loader_t *self, weft_ubj_t *in, take_fn take)
{
    weft_str_t key;
    int rc = weft_ubj_object (in);
    while (!rc && (rc = weft_ubj_key (in, &key)) == 1)
        rc = take (self, in, key);
    return rc;
}

//  Text of numbers, as XGBoost writes its parameters: "6", or from 3.1 on
//  "[5E-1]" or a list with one for each class. *n is the room, then how many.
static int
take_numbers (weft_ubj_t *in, double *values, uint32_t *n)
{
    weft_str_t text;
    char copy[WEFT_FOREST_CLASSES * 32];
    uint32_t room = *n;
    int rc = weft_ubj_str (in, &text);
    if (rc)
        return rc;
    if (text.n >= sizeof (copy))
        return WEFT_ETOOBIG;
    weft_str_copy (text, copy, sizeof (copy));
    char *at = copy + (copy[0] == '[');
    for (*n = 0; *n < room;) {
        char *end;
        values[(*n)++] = strtod (at, &end);
        if (end == at)
            return WEFT_EMALFORMED;
        if (*end != ',')
            return *end && *end != ']' ? WEFT_EMALFORMED : 0;
        at = end + 1;
    }
    return WEFT_ERANGE;
}

static int
take_trees (loader_t *self, weft_ubj_t *in)
{
    weft_ubj_array_t array;
    const char *why = "";
    int rc = weft_ubj_array (in, &array);
    if (!rc && array.type)
        return WEFT_ETYPE;
    while (!rc && (rc = weft_ubj_more (in, &array)) == 1) {
        rc = weft_forest_take_tree (&self->made, in, &why);
        if (rc)
            return refuse (self, rc, why);
    }
    return rc;
}

//  The class of each tree.
static int
take_tree_info (loader_t *self, weft_ubj_t *in)
{
    weft_ubj_array_t array;
    int rc = weft_ubj_array (in, &array);
    while (!rc && (rc = weft_ubj_more (in, &array)) == 1) {
        double number;
        rc = weft_ubj_number (in, &array, &number);
        if (!rc && !(number >= 0 && number < self->forest->classes))
            rc = refuse (self, WEFT_ERANGE, "a tree's class is out of range");
        uint32_t class = rc ? 0 : (uint32_t)number;
        weft_buf_add (&self->classes, &class, sizeof (class));
        rc = rc ? rc : self->classes.error;
    }
    return rc;
}

static int
take_model_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    if (weft_str_is (key, "trees"))
        return take_trees (self, in);
    if (weft_str_is (key, "tree_info"))
        return take_tree_info (self, in);
    return weft_ubj_skip (in);
}

static int
take_booster_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    weft_str_t name;
    int rc;
    if (weft_str_is (key, "model"))
        return each_key (self, in, take_model_key);
    if (!weft_str_is (key, "name"))
        return weft_ubj_skip (in);
    if (!(rc = weft_ubj_str (in, &name)))
        self->gbtree = weft_str_is (name, "gbtree");
    return rc;
}

//  Where the margins begin: one number for all classes, or one for each.
static int
take_base (loader_t *self, weft_ubj_t *in)
{
    double values[WEFT_FOREST_CLASSES];
    uint32_t n = WEFT_FOREST_CLASSES;
    int rc = take_numbers (in, values, &n);
    if (rc)
        return refuse (self, rc, "base_score cannot be read");
    self->bases = n;
    for (uint32_t k = 0; k < WEFT_FOREST_CLASSES; k++) {
        self->forest->base[k] = (float)values[n == 1 ? 0 : k % n];
        if (!isfinite (self->forest->base[k]))
            return refuse (self, WEFT_ERANGE, "base_score is not finite");
    }
    return 0;
}

static int
take_param_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    double number;
    uint32_t one = 1;
    bool classes = weft_str_is (key, "num_class");
    if (weft_str_is (key, "base_score"))
        return take_base (self, in);
    if (!classes && !weft_str_is (key, "num_feature"))
        return weft_ubj_skip (in);
    int rc = take_numbers (in, &number, &one);
    if (rc)
        return rc;
    if (number != floor (number) || number < 1 ||
        number > (classes ? WEFT_FOREST_CLASSES : WEFT_FOREST_INPUTS))
        return refuse (self, WEFT_ERANGE, "too many classes or features");
    *(classes ? &self->forest->classes : &self->forest->inputs) =
        (uint32_t)number;
    return 0;
}

static int
take_objective_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    weft_str_t name;
    int rc;
    if (!weft_str_is (key, "name"))
        return weft_ubj_skip (in);
    if (!(rc = weft_ubj_str (in, &name)))
        self->softprob = weft_str_is (name, "multi:softprob");
    return rc;
}

static int
take_learner_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    if (self->trees_now)
        return weft_str_is (key, "gradient_booster")
                   ? each_key (self, in, take_booster_key)
                   : weft_ubj_skip (in);
    if (weft_str_is (key, "learner_model_param"))
        return each_key (self, in, take_param_key);
    if (weft_str_is (key, "objective"))
        return each_key (self, in, take_objective_key);
    return weft_ubj_skip (in);
}

static int
take_root_key (loader_t *self, weft_ubj_t *in, weft_str_t key)
{
    if (weft_str_is (key, "learner"))
        return each_key (self, in, take_learner_key);
    return weft_ubj_skip (in);
}

static int
check_parameters (loader_t *self)
{
    if (!self->softprob)
        return refuse (self, WEFT_EVERSION, "objective is not multi:softprob");
    if (self->forest->classes < 2 || !self->forest->inputs || !self->bases)
        return refuse (self, WEFT_EABSENT, "a parameter is absent");
    if (self->bases != 1 && self->bases != self->forest->classes)
        return refuse (self, WEFT_EMALFORMED, "base_score is of other classes");
    return 0;
}

//  A copy of exactly that size: the buffers have room to spare.
static void *
exact_copy (const weft_buf_t *buf)
{
    void *copy = malloc (buf->size);
    if (copy)
        memcpy (copy, buf->data, buf->size);
    return copy;
}

static int
finish (loader_t *self)
{
    weft_forest_t *forest = self->forest;
    size_t n = self->made.trees.size / sizeof (tree_t);
    if (!self->gbtree)
        return refuse (self, WEFT_EVERSION, "booster is not gbtree");
    if (!n || n != self->classes.size / sizeof (uint32_t))
        return refuse (self, WEFT_EMALFORMED, "trees and classes do not match");
    forest->n_trees = (uint32_t)n;
    forest->trees = exact_copy (&self->made.trees);
    forest->nodes = exact_copy (&self->made.nodes);
    if (!forest->trees || !forest->nodes)
        return refuse (self, WEFT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        forest->trees[i].class =
            (uint16_t)weft_get_u32 (self->classes.data + 4 * i);
    return 0;
}

static int
read_twice (loader_t *self, const void *ubj, size_t size)
{
    weft_ubj_t in;
    weft_ubj_init (&in, ubj, size);
    int rc = each_key (self, &in, take_root_key);
    rc = rc ? rc : check_parameters (self);
    if (rc)
        return rc;
    self->trees_now = true;
    self->made.inputs = self->forest->inputs;
    weft_ubj_init (&in, ubj, size);
    rc = each_key (self, &in, take_root_key);
    return rc ? rc : finish (self);
}

weft_forest_t *
weft_forest_new (const void *ubj, size_t size, char why[WEFT_FOREST_WHY])
{
    loader_t self = { .forest = calloc (1, sizeof (weft_forest_t)),
                      .why = why };
    why[0] = 0;
    weft_buf_init (&self.made.nodes, WEFT_FOREST_NODES * sizeof (node_t));
    weft_buf_init (&self.made.trees, WEFT_FOREST_TREES * sizeof (tree_t));
    weft_buf_init (&self.classes, WEFT_FOREST_TREES * sizeof (uint32_t));
    int rc = self.forest ? read_twice (&self, ubj, size) : WEFT_ENOMEM;
    weft_buf_fini (&self.made.nodes);
    weft_buf_fini (&self.made.trees);
    weft_buf_fini (&self.classes);
    if (rc) {
        (void)refuse (&self, rc, weft_error_text (rc));
        weft_forest_destroy (&self.forest);
    }
    return self.forest;
}
