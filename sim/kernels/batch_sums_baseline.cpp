// Without fused multiply-add there is no batch: sums are made one number at a time.
#include "sim/kernels/batch_sums.h"
