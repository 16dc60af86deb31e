//  weft_forest_tree.c - one tree out of XGBoost's model file.
//
//  Nothing in it is believed: every index is checked, and the tree is walked
//  once from its root, which shows cycles and nodes of two parents.

#include "weft_forest_parts.h"

#include <math.h>

//  The arrays of one tree, where they stand in the file. Nodes are in no order
//  that matters; children of -1 make a leaf whose split_condition is output.
typedef struct {
    weft_ubj_t left, right, feature, cut, missing_left;
    uint64_t n_left, n_right, n_feature, n_cut, n_missing_left;
    uint64_t categories;  //  elements in arrays of categorical splits
} tree_arrays_t;

//  One tree's arrays as numbers; freed after each tree.
typedef struct {
    double *left, *right, *feature, *cut, *missing_left;
    uint32_t *place;  //  node of the file to node of the forest, +1; 0: unseen
    uint32_t *queue;  //  nodes of the file in the order of the forest
} tree_work_t;

//  Notes where an array is and how long, and steps over it.
static int
note_array (weft_ubj_t *in, weft_ubj_t *where, uint64_t *count)
{
    *where = *in;
    weft_ubj_t look = *in;
    weft_ubj_array_t array;
    int rc = weft_ubj_array (&look, &array);
    if (rc)
        return rc;
    if (!array.counted)
        return WEFT_ETYPE;
    *count = array.left;
    return weft_ubj_skip (in);
}

static int
take_tree_key (tree_arrays_t *tree, weft_ubj_t *in, weft_str_t key)
{
    weft_ubj_t where;
    uint64_t count = 0;
    if (weft_str_is (key, "left_children"))
        return note_array (in, &tree->left, &tree->n_left);
    if (weft_str_is (key, "right_children"))
        return note_array (in, &tree->right, &tree->n_right);
    if (weft_str_is (key, "split_indices"))
        return note_array (in, &tree->feature, &tree->n_feature);
    if (weft_str_is (key, "split_conditions"))
        return note_array (in, &tree->cut, &tree->n_cut);
    if (weft_str_is (key, "default_left"))
        return note_array (in, &tree->missing_left, &tree->n_missing_left);
    if (weft_str_is (key, "categories_nodes")) {
        int rc = note_array (in, &where, &count);
        tree->categories += count;
        return rc;
    }
    return weft_ubj_skip (in);
}

static int
read_numbers (weft_ubj_t in, uint64_t n, double *values)
{
    weft_ubj_array_t array;
    int rc = weft_ubj_array (&in, &array);
    for (uint64_t i = 0; !rc && i < n; i++)
        rc = weft_ubj_number (&in, &array, &values[i]);
    return rc;
}

static void
free_work (tree_work_t *work)
{
    free (work->left);
    free (work->place);
}

static int
read_tree_arrays (const tree_arrays_t *tree, tree_work_t *work)
{
    uint64_t n = tree->n_left;
    if (!n)
        return WEFT_EMALFORMED;
    work->left = malloc (5 * n * sizeof (double));
    work->place = calloc (2 * n, sizeof (uint32_t));
    if (!work->left || !work->place)
        return WEFT_ENOMEM;
    work->right = work->left + n;
    work->feature = work->right + n;
    work->cut = work->feature + n;
    work->missing_left = work->cut + n;
    work->queue = work->place + n;
    int rc = read_numbers (tree->left, n, work->left);
    rc = rc ? rc : read_numbers (tree->right, n, work->right);
    rc = rc ? rc : read_numbers (tree->feature, n, work->feature);
    rc = rc ? rc : read_numbers (tree->cut, n, work->cut);
    return rc ? rc : read_numbers (tree->missing_left, n, work->missing_left);
}

//  A whole number in [0, most)?
static bool
is_index (double value, double most)
{
    return value >= 0 && value < most && value == floor (value);
}

//  Puts a child at the end of the queue, once.
static int
enqueue (tree_work_t *work, double child, uint64_t n, uint32_t *queued)
{
    if (!is_index (child, (double)n) || work->place[(size_t)child])
        return WEFT_EMALFORMED;
    work->queue[*queued] = (uint32_t)child;
    work->place[(size_t)child] = ++*queued;
    return 0;
}

//  The node of the file at queue place `i`, its children queued.
static int
place_node (weft_forest_nodes_t *self,
            tree_work_t *work,
            uint64_t n,
            uint32_t i,
            uint32_t root,
            uint32_t *queued)
{
    uint32_t from = work->queue[i];
    node_t node = { .cut = (float)work->cut[from], .left = root + i };
    if (!isfinite (node.cut))
        return WEFT_EMALFORMED;
    if (work->left[from] >= 0) {
        if (!is_index (work->feature[from], self->inputs))
            return WEFT_ERANGE;
        node.inner = 1;
        node.feature = (uint16_t)work->feature[from];
        node.missing_right = work->missing_left[from] == 0;
        node.left = root + *queued;
        int rc = enqueue (work, work->left[from], n, queued);
        rc = rc ? rc : enqueue (work, work->right[from], n, queued);
        if (rc)
            return rc;
    }
    weft_buf_add (&self->nodes, &node, sizeof (node));
    return self->nodes.error;
}

//  Breadth first from node 0: children come after their parents, side by side.
static int
place_tree (weft_forest_nodes_t *self, tree_work_t *work, uint64_t n)
{
    uint32_t root = (uint32_t)(self->nodes.size / sizeof (node_t));
    uint32_t queued = 1;
    uint32_t depth = 0;
    uint32_t level_end = 1;
    work->queue[0] = 0;
    work->place[0] = 1;
    for (uint32_t i = 0; i < queued; i++) {
        if (i == level_end) {
            depth++;
            level_end = queued;
        }
        int rc = place_node (self, work, n, i, root, &queued);
        if (rc)
            return rc;
    }
    tree_t tree = { .root = root, .depth = (uint16_t)depth };
    if (depth > UINT16_MAX)
        return WEFT_ETOODEEP;
    weft_buf_add (&self->trees, &tree, sizeof (tree));
    return self->trees.error;
}

static int
check_arrays (const tree_arrays_t *tree, const char **why)
{
    uint64_t n = tree->n_left;
    *why = "a tree splits by category";
    if (tree->categories)
        return WEFT_ETYPE;
    *why = "a tree's arrays do not match";
    if (!n || n != tree->n_right || n != tree->n_feature || n != tree->n_cut ||
        n != tree->n_missing_left)
        return WEFT_EMALFORMED;
    *why = "too many nodes";
    return n > WEFT_FOREST_NODES ? WEFT_ETOOBIG : 0;
}

int
weft_forest_take_tree (weft_forest_nodes_t *self,
                       weft_ubj_t *in,
                       const char **why)
{
    tree_arrays_t tree = { 0 };
    tree_work_t work = { 0 };
    weft_str_t key;
    *why = "a tree cannot be read";
    int rc = weft_ubj_object (in);
    while (!rc && (rc = weft_ubj_key (in, &key)) == 1)
        rc = take_tree_key (&tree, in, key);
    rc = rc ? rc : check_arrays (&tree, why);
    if (rc)
        return rc;
    *why = "a tree's nodes are no tree";
    rc = read_tree_arrays (&tree, &work);
    rc = rc ? rc : place_tree (self, &work, tree.n_left);
    free_work (&work);
    return rc;
}
