/* Loops shared by all translated networks. Sums run over the inputs in order, one output column beside the other,
   so that compilers can use vector instructions without reordering any sum. */

static void dense_layer(const float *x, int rows, int inputs, int outputs, const float *weight_t, const float *bias,
                        float *y)
{
    for (int r = 0; r < rows; r++) {
        float *out = y + (long)r * outputs;
        for (int j = 0; j < outputs; j++)
            out[j] = bias ? bias[j] : 0.0f;
        for (int k = 0; k < inputs; k++) {
            const float value = x[(long)r * inputs + k];
            const float *weight = weight_t + (long)k * outputs;
            for (int j = 0; j < outputs; j++)
                out[j] += value * weight[j];
        }
    }
}

/* NaN where one of them is, which fmaxf and fminf would drop. */
static inline float larger(float x, float y)
{
    return x > y || x != x ? x : y;
}

static inline float smaller(float x, float y)
{
    return x < y || x != x ? x : y;
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* Position that a computed index names; as in PyTorch a negative one counts from the end. */
static inline int position(float index, int size)
{
    return (int)index + (index < 0.0f ? size : 0);
}

/* Gates in the order input, forget, cell, output. h and c (size) are updated in place; gates holds 2 * 4 * size. */
static void lstm_layer(const float *x, int rows, int inputs, int size, const float *input_t, const float *state_t,
                       const float *input_bias, const float *state_bias, float *h, float *c, float *gates, float *y)
{
    for (int r = 0; r < rows; r++) {
        float *from_state = gates + 4 * size;
        dense_layer(x + (long)r * inputs, 1, inputs, 4 * size, input_t, input_bias, gates);
        dense_layer(h, 1, size, 4 * size, state_t, state_bias, from_state);
        for (int j = 0; j < 4 * size; j++)
            gates[j] += from_state[j];
        for (int j = 0; j < size; j++) {
            c[j] = sigmoid(gates[size + j]) * c[j] + sigmoid(gates[j]) * tanhf(gates[2 * size + j]);
            h[j] = sigmoid(gates[3 * size + j]) * tanhf(c[j]);
            y[(long)r * size + j] = h[j];
        }
    }
}

/* Gates in the order reset, update, new. */
static void gru_layer(const float *x, int rows, int inputs, int size, const float *input_t, const float *state_t,
                      const float *input_bias, const float *state_bias, float *h, float *gates, float *y)
{
    for (int r = 0; r < rows; r++) {
        float *from_state = gates + 3 * size;
        dense_layer(x + (long)r * inputs, 1, inputs, 3 * size, input_t, input_bias, gates);
        dense_layer(h, 1, size, 3 * size, state_t, state_bias, from_state);
        for (int j = 0; j < size; j++) {
            const float reset = sigmoid(gates[j] + from_state[j]);
            const float update = sigmoid(gates[size + j] + from_state[size + j]);
            const float fresh = tanhf(gates[2 * size + j] + reset * from_state[2 * size + j]);
            h[j] = (1.0f - update) * fresh + update * h[j];
            y[(long)r * size + j] = h[j];
        }
    }
}

static void layer_norm(const float *x, int rows, int size, const float *weight, const float *bias, float eps, float *y)
{
    for (int r = 0; r < rows; r++) {
        const float *in = x + (long)r * size;
        float mean = 0.0f, square = 0.0f;
        for (int j = 0; j < size; j++)
            mean += in[j];
        mean /= (float)size;
        for (int j = 0; j < size; j++)
            square += (in[j] - mean) * (in[j] - mean);
        const float rate = 1.0f / sqrtf(square / (float)size + eps);
        for (int j = 0; j < size; j++)
            y[(long)r * size + j] = (in[j] - mean) * rate * (weight ? weight[j] : 1.0f) + (bias ? bias[j] : 0.0f);
    }
}

/* In place, over the last dimension. */
static void softmax(float *x, int rows, int size)
{
    for (int r = 0; r < rows; r++) {
        float *out = x + (long)r * size;
        float largest = out[0], sum = 0.0f;
        for (int j = 1; j < size; j++)
            largest = out[j] > largest ? out[j] : largest;
        for (int j = 0; j < size; j++)
            sum += out[j] = expf(out[j] - largest);
        for (int j = 0; j < size; j++)
            out[j] /= sum;
    }
}
