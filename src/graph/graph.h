/* graph.h -- a training step as data: record, differentiate, plan, replay.
 *
 * Methods and networks call ops (op/op.h) on symbolic tensors; each call appends a node. Shapes are
 * static. ctr_graph_backward walks the nodes in reverse and lets each op append its gradient nodes.
 * ctr_graph_plan picks a variant of each op and gives every tensor a place in a few buffers by
 * liveness; ctr_graph_lower describes the launches, ctr_dev_build compiles them; ctr_graph_replay
 * runs the step: a flat array of launches. Nothing is allocated, built or looked up in it. The
 * store's gradients are memory, too, until they are made: they hold from the end of a replay to the
 * next one.
 *
 * Recording never needs a check after each call: a failed call returns NULL, ops given NULL return
 * NULL, and the first failure waits in ctr_graph_status. */
#ifndef CTR_GRAPH_GRAPH_H
#define CTR_GRAPH_GRAPH_H

#include "base/str.h"
#include "dev/dev.h"

#define CTR_MAX_RANK 4
#define CTR_MAX_IO   12

/* CTR_F16 and CTR_BF16 are storage of activations and their gradients; arithmetic is fp32. */
enum ctr_dtype { CTR_F32, CTR_I32, CTR_U32, CTR_U8, CTR_F16, CTR_BF16, CTR_U16 };
size_t ctr_dtype_bytes(enum ctr_dtype dtype);
const char *ctr_dtype_name(enum ctr_dtype dtype);
int ctr_dtype_is_float(enum ctr_dtype dtype);

typedef struct ctr_graph ctr_graph;
typedef struct ctr_store ctr_store;
typedef struct ctr_tensor ctr_tensor;
typedef struct ctr_node ctr_node;
struct ctr_form;

enum ctr_role {
    CTR_ROLE_TEMP,  /* made by a node, lives from there to its last reader */
    CTR_ROLE_INPUT, /* written by the host before a replay; lives always */
    CTR_ROLE_STORE  /* a parameter, a state or a flat buffer of the store */
};

/* Row-major, the last dimension contiguous; images are [N][H][W][C]. Read-only outside src/graph.
 */
struct ctr_tensor {
    const char *name;
    enum ctr_dtype dtype;
    enum ctr_role role;
    unsigned rank;
    size_t dim[CTR_MAX_RANK]; /* dims beyond rank are 1 */
    size_t count, bytes;
    ctr_node *producer; /* NULL unless made by a node */
    ctr_tensor *grad;   /* d loss / d this, once ctr_graph_backward has run; else NULL */
    int needs_grad;
    int keep;            /* stays readable after a replay */
    const void *content; /* an input that the host never writes: what is in it */
    ctr_buf *buf;        /* its place, once planned */
    /* The planner's: birth and last use (node numbers), arena buffer (or CTR_IN_GRADS,
     * the store's gradients) and offset, store entry. */
    int first, last;
    ctr_tensor *over; /* whose place it takes, NULL: its own */
#define CTR_IN_GRADS ((size_t)-1)
    size_t chunk, at;
    int owns_buf;
    size_t entry;
    int shadow; /* of a parameter: the store's shadow of it */
    ctr_tensor *grad_of; /* a parameter whose gradient this is: placed in the store */
    ctr_tensor *next;
};

/* ---- what an op is: const data at the end of its file ---- */

/* Numbers that shape a variant's launches: tile sizes, chunk lengths. What they mean is the
 * variant's own; all zero stands for what it takes by itself. */
#define CTR_CONFIG_INTS 5
struct ctr_config {
    int v[CTR_CONFIG_INTS];
};

/* One way to compute an op. */
struct ctr_variant {
    const char *name;
    /* Whether it suits this device and these shapes; NULL: always. */
    int (*usable)(const struct ctr_caps *caps, const ctr_node *node);
    /* Optional: asks for scratch (ctr_node_scratch) before the plan is made. */
    int (*prepare)(ctr_graph *g, ctr_node *node);
    /* Emits the launches; all buffers are in place. */
    int (*lower)(ctr_graph *g, ctr_node *node);
    /* Optional: up to `room` configurations that may be tried for this node, which is usable,
     * beside all zeros. Their number. prepare and lower find the chosen one in node->config. */
    size_t (*configs)(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                      const ctr_node *node);
    /* Its kernels take activations as fp16 and bf16, too (act_t, cl/lib/prelude.clh); else it is
     * passed over where a tensor of the node is stored so. */
    int half;
    /* Relative error that its arithmetic may add where the node's tensors are fp32; 0: it is fp32 too. */
    double error;
};

struct ctr_op {
    const char *name;
    /* Appends the gradient nodes: reads node->out[i]->grad, calls ctr_grad_add for each input that
     * needs it. NULL: gradients stop here. */
    int (*grad)(ctr_graph *g, ctr_node *node);
    /* Optional: appends a node whose first output is this one's again, to the bit, from tensors
     * that are there anyway and without side effects (often ctr_node_again). The backward pass may
     * then make it again instead of keeping it. NULL where that is not worth it. */
    ctr_node *(*again)(ctr_graph *g, ctr_node *node);
    int again_dear; /* that takes clearly longer than to read the inputs and write the output */
    /* Optional: whether an output may be stored over an input of as many bytes: no launch reads
     * there what it or an earlier one has overwritten. Asked when the input dies at this node. */
    int (*in_place)(const ctr_node *node, unsigned out, unsigned in);
    /* Optional: what its first output is in inference (op/form.h). 0, or -1 where that can't be said. */
    int (*form)(struct ctr_form *out, const ctr_node *node);
    /* In order of preference, ended by a row without a name; the last real row is general. */
    const struct ctr_variant *variants;
    /* Inputs of whole numbers may be made up below this, to time the op (tune.h). 0: they mean
     * something. */
    unsigned whole_below;
};

struct ctr_node {
    const struct ctr_op *op;
    unsigned n_in, n_out;
    ctr_tensor *in[CTR_MAX_IO]; /* NULL for an optional input that is absent */
    ctr_tensor *out[CTR_MAX_IO];
    ctr_tensor *scratch; /* first of a list (->next), newest first */
    void *attr;          /* the op's own parameters, owned by the graph */
    size_t attr_bytes;
    const struct ctr_variant *variant; /* chosen, with its configuration, when planned */
    struct ctr_config config;
    int number;
    unsigned part; /* of the graph, see ctr_graph_repeat */
    size_t launch; /* the first of its launches, once lowered */
};

/* ---- recording ---- */

/* `store` holds the parameters and may be shared by several graphs (training, embedding); device
 * and store outlive the graph. */
int ctr_graph_create(ctr_graph **out, ctr_dev *dev, ctr_store *store);
void ctr_graph_destroy(ctr_graph **g);
ctr_dev *ctr_graph_dev(const ctr_graph *g);
const struct ctr_caps *ctr_graph_caps(const ctr_graph *g);
/* 0, or the code of the first failed recording call (its text is still recorded). */
int ctr_graph_status(const ctr_graph *g);
/* Records a failure of the recording itself; NULL, for `return ctr_graph_fail(...)`. */
void *ctr_graph_fail(ctr_graph *g, int code, const char *fmt, ...) CTR_PRINTF(3, 4);

ctr_tensor *ctr_graph_input(ctr_graph *g, const char *name, enum ctr_dtype dtype, unsigned rank,
                            const size_t *dim);
/* An input that holds these values (copied) from the plan on. */
ctr_tensor *ctr_graph_constant(ctr_graph *g, const char *name, enum ctr_dtype dtype, unsigned rank,
                               const size_t *dim, const void *values);
/* The input lives in a buffer of the caller's, e.g. a data set shared by two graphs. Before plan.
 */
void ctr_graph_bind(ctr_tensor *input, ctr_buf *buf);
/* Lets gradients flow to a tensor, where they end: an input, or what has none to pass on. */
void ctr_graph_want_grad(ctr_tensor *t);
/* Keeps a tensor readable after a replay (outputs, losses). NULL is fine. */
void ctr_graph_keep(ctr_tensor *t);

enum ctr_init_kind {
    CTR_INIT_ZERO,
    CTR_INIT_ONE,
    CTR_INIT_NORMAL,
    CTR_INIT_UNIFORM,
    CTR_INIT_DIRECTIONS /* rows of length one (the last dimension), uniform on the sphere */
};
struct ctr_init {
    enum ctr_init_kind kind;
    float scale; /* standard deviation, or half width of the uniform distribution */
};
enum {
    CTR_PARAM_NO_DECAY = 1, /* biases and norms: no weight decay, no LARS adaptation */
    CTR_PARAM_OWN_RATE = 2  /* its learning rate is a multiple of the others' (optim.h) */
};
/* The parameter of that name, added to the store when it is new. */
ctr_tensor *ctr_graph_param(ctr_graph *g, const char *name, unsigned rank, const size_t *dim,
                            struct ctr_init init, unsigned flags);
/* Flags that parameters have beside their own, from here on. */
void ctr_graph_param_flags(ctr_graph *g, unsigned flags);
/* The same for what is kept from step to step but not trained (running statistics). */
ctr_tensor *ctr_graph_state(ctr_graph *g, const char *name, unsigned rank, const size_t *dim,
                            struct ctr_init init);
/* Between on and off, ctr_graph_param gives the shadow of a parameter: a second set of values in the
 * layout of the first and equal to it at the start, without gradients, in CTR_STORE_SHADOW; and
 * ctr_graph_state a state of its own, "shadow.NAME". So a network recorded then is a copy that moves
 * only as somebody moves the shadow (optim.h: ctr_ema). */
void ctr_graph_shadow(ctr_graph *g, int on);
/* A copy of x through which no gradient flows. */
ctr_tensor *ctr_detach(ctr_graph *g, ctr_tensor *x);
/* One of the store's flat buffers as a tensor of rank 1 (for optimisers), created if need be. After
 * all parameters are recorded; it freezes the store's layout. */
enum ctr_store_part {
    CTR_STORE_VALUES,
    CTR_STORE_GRADS,
    CTR_STORE_MOMENT1,
    CTR_STORE_MOMENT2,
    CTR_STORE_SHADOW, /* of the values; there when a graph has recorded shadows */
    CTR_STORE_BLOCKS /* u32 per CTR_STORE_BLOCK values: entry number, CTR_BLOCK_* or'ed in */
};
#define CTR_STORE_PARTS    6
#define CTR_BLOCK_NO_DECAY 0x80000000u
#define CTR_BLOCK_OWN_RATE 0x40000000u
ctr_tensor *ctr_graph_store_part(ctr_graph *g, enum ctr_store_part part);

/* What is recorded from here to ctr_graph_once is a part of its own, which a replay runs `times` times
 * before it goes on. Returns the number of the turn, i32[1], from 0. Earlier tensors are the same in
 * each turn; later nodes find what the last one has left (ctr_turn_put of op/op.h: what all have).
 * ctr_graph_backward of a tensor made in the part goes back to its beginning, and gradients of
 * parameters are sums over the turns, in their order. */
ctr_tensor *ctr_graph_repeat(ctr_graph *g, size_t times);
void ctr_graph_once(ctr_graph *g);

/* For op files. A new node over inputs (`optional` inputs are the last ones and may be NULL; any
 * other NULL makes the node NULL). Attributes are copied; their bytes tell nodes apart
 * (ctr_node_shape), so where an op has several variants they leave no padding. */
ctr_node *ctr_node_add(ctr_graph *g, const struct ctr_op *op, const void *attr, size_t attr_bytes,
                       unsigned n_in, ctr_tensor *const *in, unsigned optional);
/* Its next output. NULL for a NULL node. */
ctr_tensor *ctr_node_out(ctr_graph *g, ctr_node *node, enum ctr_dtype dtype, unsigned rank,
                         const size_t *dim);
/* The same op once more, on the same inputs and attributes, with outputs of its own. */
ctr_node *ctr_node_again(ctr_graph *g, ctr_node *node);
/* An op's in_place when its one output is element-wise in all inputs. */
int ctr_element_wise(const ctr_node *node, unsigned out, unsigned in);
/* How this node's activations are stored: CTR_F16 or CTR_BF16 when one of its tensors is (never
 * both), else CTR_F32. Launches it emits are built with -DACT=1, -DACT=2 or nothing. */
enum ctr_dtype ctr_node_storage(const ctr_node *node);
/* Memory that only this node uses; from variant->prepare. NULL on failure. */
ctr_tensor *ctr_node_scratch(ctr_graph *g, ctr_node *node, size_t bytes);

/* ---- differentiating ---- */

/* Appends the nodes that compute d y / d (every parameter and wanted input). `seed` is the gradient
 * of y itself; NULL stands for ones. */
int ctr_graph_backward(ctr_graph *g, ctr_tensor *y, ctr_tensor *seed);
/* For op->grad: whether anybody wants the gradient of t (NULL: no); adds a contribution to it
 * (several are summed in recording order). */
int ctr_needs_grad(const ctr_tensor *t);
int ctr_grad_add(ctr_graph *g, ctr_tensor *t, ctr_tensor *contribution);

/* ---- planning and replay ---- */

/* What the backward pass makes again to save memory, bits the same: */
enum ctr_recompute {
    CTR_RECOMPUTE_AUTO, /* what costs little time */
    CTR_RECOMPUTE_ON,   /* whatever lowers the peak */
    CTR_RECOMPUTE_OFF   /* nothing */
};
struct ctr_plan_params {
    const char *kernels; /* "op=variant,op=variant:16,64" to force where usable; NULL */
    const char *tuned;   /* the same for what `kernels` leaves open; not checked for slips. NULL */
    enum ctr_recompute recompute;
    int guard; /* tests: guard bands around each tensor, nothing shares memory */
};
/* Once for each graph. params may be NULL. All buffers start as zeros. CTR_E_USAGE when a bound
 * buffer is smaller than its input. */
int ctr_graph_plan(ctr_graph *g, const struct ctr_plan_params *params);
/* Describes the launches. Afterwards ctr_dev_build compiles them (for several graphs at once); a
 * warm build leaves all temporaries and the store undefined. */
int ctr_graph_lower(ctr_graph *g);
int ctr_graph_replay(ctr_graph *g);
/* The launches of nodes [first, end), *n of them, to time them alone. */
ctr_launch *const *ctr_graph_launches(const ctr_graph *g, size_t first, size_t end, size_t *n);

/* For lower(): describes one launch of this node, one matrix product. */
int ctr_emit(ctr_graph *g, const struct ctr_launch_spec *spec);
int ctr_emit_gemm(ctr_graph *g, const struct ctr_gemm *gemm);
/* For element-wise kernels `k(..., ulong n, uint chunk)`: work-item w handles elements
 * [w*chunk, min(n, (w+1)*chunk)). Sets the grid and returns chunk, a multiple of 16 on CPUs, VW (4)
 * on GPUs. */
uint32_t ctr_grid_chunks(const ctr_graph *g, struct ctr_launch_spec *spec, size_t n);
/* The same for kernels whose item is one of n rows or tiles: on CPUs `n` groups of one work-item,
 * on GPUs groups of `group` (kernels check get_global_id(0) < n). */
void ctr_grid_items(const ctr_graph *g, struct ctr_launch_spec *spec, size_t n, size_t group);

/* Whether kernels that do little with each value better store this tensor past a CPU's caches: it
 * would be fetched first to be overwritten, a third of a copy's traffic. */
int ctr_stream(const ctr_tensor *t);

/* Host access between replays. bytes must equal the tensor's. */
int ctr_tensor_write(ctr_tensor *t, const void *src, size_t bytes);
int ctr_tensor_read(void *dst, const ctr_tensor *t, size_t bytes);

/* What train --dry-run prints. Bytes on the device; FLOPs and traffic of one replay as the ops state them.
 */
struct ctr_plan_report {
    size_t nodes, launches;
    size_t param_count;
    size_t param_bytes, grad_bytes, moment_bytes, shadow_bytes, state_bytes, input_bytes;
    size_t arena_bytes;    /* activations, gradients and scratch, sharing memory */
    size_t unshared_bytes; /* the same without sharing */
    size_t live_bytes;     /* most that live at one time, beyond what the places of gradients not made
                              by then can hold: arena_bytes can't be less */
    size_t kept_bytes;     /* the same, were nothing made again */
    size_t recomputed;     /* nodes that make outputs again */
    double flops, traffic_bytes;
};
struct ctr_plan_report ctr_graph_report(const ctr_graph *g);
/* Nodes in order, for printing and tests. NULL past the end. */
const ctr_node *ctr_graph_node(const ctr_graph *g, size_t i);
/* Characters of the first item of a list as in --kernel: up to a separator; a comma between two numbers
 * of a configuration is none. */
size_t ctr_variant_item_length(const char *list);
/* Whether a variant of the node's op suits device, shapes and storage. */
int ctr_variant_usable(const ctr_graph *g, const ctr_node *node, const struct ctr_variant *v);
/* Configurations that a variant offers for a node, and one as in `kernels` (":16,64", or nothing).
 */
size_t ctr_variant_configs(struct ctr_config *out, size_t room, const ctr_graph *g,
                           const ctr_node *node, const struct ctr_variant *v);
void ctr_config_text(struct ctr_str *s, const struct ctr_config *config);
/* The node's inputs and a hash of outputs and attributes: "128x32x32x64/64x64x3x3/-#1b2c3d4e". In
 * `kernels`, "op@SHAPE=variant" speaks of such nodes only. Before ctr_graph_lower. */
void ctr_node_shape(struct ctr_str *s, const ctr_node *node);
/* What a planned graph has chosen wherever there was a choice, a line for each shape as in
 * `kernels`: the same choices again as ctr_plan_params.tuned. `changed`: only those that the ops
 * would not have taken by themselves. */
const char *ctr_graph_choices(const ctr_graph *g, int changed);
/* Tests: fills arena buffers with a pattern; checks that guard bands still hold it. */
int ctr_graph_poison(ctr_graph *g, uint32_t pattern);
int ctr_graph_check_guards(ctr_graph *g, uint32_t pattern);

/* ---- the store: parameters and states in flat buffers ---- */

struct ctr_store_entry {
    const char *name; /* as in PyTorch's state_dict where one exists */
    unsigned rank;
    size_t dim[CTR_MAX_RANK], count;
    size_t at; /* first element in its flat buffer */
    struct ctr_init init;
    unsigned flags;
    int is_state;
};
int ctr_store_create(ctr_store **out, ctr_dev *dev);
void ctr_store_destroy(ctr_store **store);
/* Moments the optimiser wants: 0, 1 or 2 flat buffers. Before the first plan. */
void ctr_store_moments(ctr_store *store, unsigned n);
unsigned ctr_store_n_moments(const ctr_store *store);
/* Whether it keeps a shadow of its values (ctr_graph_shadow). */
int ctr_store_has_shadow(const ctr_store *store);
/* Values from the seed (each entry draws from its own stream, by number), the shadow like them;
 * moments are zeroed. */
int ctr_store_init(ctr_store *store, uint64_t seed);
/* The same in two parts, so that a thread draws while the driver compiles. Begins once the entries
 * are all there (planned); end waits, uploads unless keep is 0, and frees; NULL is allowed. */
struct ctr_store_drawing;
int ctr_store_init_begin(struct ctr_store_drawing **out, ctr_store *store, uint64_t seed);
int ctr_store_init_end(struct ctr_store_drawing **drawing, int keep);
size_t ctr_store_entries(const ctr_store *store);
const struct ctr_store_entry *ctr_store_entry(const ctr_store *store, size_t i);
/* Elements of the flat buffers; values, gradients and moments share one layout, states have their
 * own. Every entry starts at a multiple of CTR_STORE_BLOCK and is padded with zeros. */
#define CTR_STORE_BLOCK 256
size_t ctr_store_flat_count(const ctr_store *store);
/* One entry to or from the host: its value, gradient, moment or shadow (states: VALUES only). */
int ctr_store_read(float *dst, const ctr_store *store, size_t entry, enum ctr_store_part part);
int ctr_store_write(ctr_store *store, size_t entry, enum ctr_store_part part, const float *src);

#endif
