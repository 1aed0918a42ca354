"""Vector types and operations for numba kernels: one value of `lanes` models in one CPU register.

`vector(dtype, lanes)` returns a namespace of numba intrinsics that work on flat aligned arrays.
Every operation is the IEEE one, rounded once, with no fast-math flag, so a lane's result depends
neither on its neighbours, nor on the number of lanes, nor on the machine (a CPU without a fused
multiply-add is the one exception: there `fma` rounds twice).
"""

from functools import lru_cache
from math import factorial
from types import SimpleNamespace

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

INT32, INT64 = ir.IntType(32), ir.IntType(64)


def cpu():
    "Name and feature flags (such as '+avx2') of the CPU that numba compiles for."
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    return name, frozenset(features.split(','))


def register_bytes():
    "Bytes in a vector register: 64 with AVX-512, 32 with AVX2, else 16."
    features = cpu()[1]
    return 64 if '+avx512f' in features else 32 if '+avx2' in features else 16


def width(dtype):
    "How many values of `dtype` a vector register holds."
    return register_bytes() // np.dtype(dtype).itemsize


def n_registers():
    "How many vector registers there are: 32 with AVX-512 and on ARM, else 16."
    return 32 if cpu()[1] & {'+avx512f', '+neon'} else 16


def aligned_zeros(size, dtype):
    "A flat array of zeros that starts at a page, aligned as `load` and `store` require."
    page = 4096
    raw = np.zeros(size * np.dtype(dtype).itemsize + page, np.uint8)
    start = -raw.ctypes.data % page
    return raw[start : start + size * np.dtype(dtype).itemsize].view(dtype)


def _has_fma():
    features = cpu()[1]
    return bool(features & {'+fma', '+neon', '+avx512f'})


class _Emitter:
    "Writes LLVM instructions on vectors of one type."

    def __init__(self, dtype, lanes):
        self.single = np.dtype(dtype) == np.float32
        self.lanes, self.bytes = lanes, lanes * np.dtype(dtype).itemsize
        self.scalar = ir.FloatType() if self.single else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, lanes)
        self.integers = ir.VectorType(INT32 if self.single else INT64, lanes)
        self.suffix = f'v{lanes}{"f32" if self.single else "f64"}'

    def constant(self, value):
        return ir.Constant(self.vector, [value] * self.lanes)

    def integer(self, value):
        return ir.Constant(self.integers, [value] * self.lanes)

    def element(self, context, builder, array_type, array, index):
        "Address of element `index` of a flat array."
        return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])

    def pointer(self, context, builder, array_type, array, index, further=None):
        "Address of the vector that begins at `index` or `further` vectors after it."
        first = builder.bitcast(
            self.element(context, builder, array_type, array, index), self.vector.as_pointer()
        )
        return first if further is None else builder.gep(first, [further])

    def broadcast(self, builder, x):
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = builder.insert_element(undefined, x, INT32(0))
        return builder.shuffle_vector(
            one, undefined, ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        )

    def call(self, builder, name, *args):
        kind = ir.FunctionType(self.vector, [self.vector] * len(args))
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f'llvm.{name}.{self.suffix}'), args
        )

    def fma(self, builder, x, y, z):
        return (
            self.call(builder, 'fma', x, y, z)
            if _has_fma()
            else builder.fadd(builder.fmul(x, y), z)
        )

    def select(self, builder, relation, x, y, yes, no):
        return builder.select(builder.fcmp_ordered(relation, x, y), yes, no)

    def maximum(self, builder, x, y):  # y where either is nan, so maximum(0, nan) is nan
        return self.select(builder, '>', x, y, x, y)

    def minimum(self, builder, x, y):
        return self.select(builder, '<', x, y, x, y)

    def exp(self, builder, x):
        """exp of x where neither result nor scale overflows: 2^n exp(r) with |r| <= ln(2)/2.

        The Taylor polynomial has degree 7 or 13 (truncation 5e-9, 4e-18). Adding
        1.5 * 2^(mantissa bits) rounds to an integer and leaves that integer in the low bits, which
        shifted into the exponent make 2^n.
        """
        mantissa, bias, degree = (23, 127, 7) if self.single else (52, 1023, 13)
        # ln(2) in two parts; the first has few bits, so n times it is exact
        high, low = (
            (0.693359375, -2.12194440e-4)
            if self.single
            else (6.93147180369123816490e-01, 1.90821492927058770002e-10)
        )
        magic = self.constant(1.5 * 2**mantissa)
        shifted = self.fma(builder, x, self.constant(1.4426950408889634), magic)
        n = builder.fsub(shifted, magic)
        r = self.fma(builder, n, self.constant(-high), x)
        r = self.fma(builder, n, self.constant(-low), r)
        p = self.constant(1 / factorial(degree))
        for power in range(degree - 1, -1, -1):
            p = self.fma(builder, p, r, self.constant(1 / factorial(power)))
        exponent = builder.shl(builder.bitcast(shifted, self.integers), self.integer(mantissa))
        scale = builder.bitcast(builder.add(exponent, self.integer(bias << mantissa)), self.vector)
        return builder.fmul(p, scale)

    def sigmoid(self, builder, x):
        "1 / (1 + exp(-x)), x cut to +-80 (float32) or +-700 (float64)."
        limit = 80.0 if self.single else 700.0
        x = self.maximum(
            builder,
            self.constant(-limit),
            self.minimum(builder, self.constant(limit), builder.fneg(x)),
        )
        one = self.constant(1.0)
        return builder.fdiv(one, builder.fadd(one, self.exp(builder, x)))

    def relu(self, builder, x):
        return self.maximum(builder, self.constant(0.0), x)

    def relu_gradient(self, builder, activation, gradient):
        zero = self.constant(0.0)
        return self.select(builder, '>', activation, zero, gradient, zero)

    def reciprocal_or_zero(self, builder, x):
        zero = self.constant(0.0)
        return self.select(builder, '>', x, zero, builder.fdiv(self.constant(1.0), x), zero)

    def greater(self, builder, x, y):
        "An integer with bit l set where x > y in lane l."
        mask = builder.bitcast(builder.fcmp_ordered('>', x, y), ir.IntType(self.lanes))
        return builder.zext(mask, INT64)

    def horizontal_sum(self, builder, x):
        "Sum of the lanes, first half plus second half, again and again."
        n = self.lanes
        while n > 1:
            n //= 2
            halves = [
                builder.shuffle_vector(
                    x, x, ir.Constant(ir.VectorType(INT32, n), list(range(a, a + n)))
                )
                for a in (0, n)
            ]
            x = builder.fadd(*halves)
        return builder.extract_element(x, INT32(0))


def vector(dtype, lanes):
    """Namespace of numba intrinsics on vectors of `lanes` values of `dtype`.

    `lanes` is a power of two, `dtype` float32 or float64.

    type                          the numba type of a vector
    load(a, i), store(a, i, x)    vector at a[i:i+lanes]; a is flat, a[i] aligned to the vector's
                                  size (see `aligned_zeros`)
    load_at(a, i, n), store_at(a, i, n, x), add_at(a, i, n, x)
                                  the same n vectors further on; a's vector there += x
    prefetch_at(a, i, n)          asks for a vector that will be needed soon
    set1(x)                       x in every lane
    add sub mul div (x, y), fma(x, y, z) = x*y + z, neg sqrt sigmoid (x)
    maximum minimum (x, y)        y where one of them is nan
    relu(x), relu_gradient(h, d)  max(0, x); d where h > 0 else 0
    reciprocal_or_zero(x)         1 / x where x > 0 else 0
    greater(x, y)                 int64 with bit l set where x > y in lane l
    hsum(x)                       sum of the lanes
    """
    return _vector(np.dtype(dtype), lanes)


@lru_cache(maxsize=None)
def _vector(dtype, lanes):
    emitter = _Emitter(dtype, lanes)
    vector_type = _vector_type(emitter)
    return SimpleNamespace(
        type=vector_type,
        lanes=lanes,
        **_loads(emitter, vector_type),
        **_stores(emitter, vector_type),
        **_arithmetic(emitter, vector_type),
        **_choices(emitter, vector_type),
    )


def _vector_type(emitter):
    "The numba type of a vector, held in a register."

    class Vector(types.Type):
        def __init__(self):
            super().__init__(name=f'simd_{emitter.suffix}')

    @register_model(Vector)
    class VectorModel(models.PrimitiveModel):
        def __init__(self, manager, fe_type):
            super().__init__(manager, fe_type, emitter.vector)

    return Vector()


def _loads(emitter, v):
    "Reading vectors from arrays, and one value into every lane."

    def read(context, builder, signature, args):
        address = emitter.pointer(context, builder, signature.args[0], *args)
        return builder.load(address, align=emitter.bytes)

    def spread(context, builder, signature, args):
        return emitter.broadcast(builder, args[0])

    def ask(context, builder, signature, args):
        address = emitter.pointer(context, builder, signature.args[0], *args)
        address = builder.bitcast(address, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, 'llvm.prefetch.p0i8')
        builder.call(function, [address, INT32(0), INT32(3), INT32(1)])
        return context.get_dummy_value()

    @intrinsic
    def prefetch_at(typing, a, i, n):
        return types.none(a, types.int64, types.int64), ask

    @intrinsic
    def load(typing, a, i):
        return v(a, types.int64), read

    @intrinsic
    def load_at(typing, a, i, n):
        return v(a, types.int64, types.int64), read

    @intrinsic
    def set1(typing, x):
        return v(types.float32 if emitter.single else types.float64), spread

    return {'load': load, 'load_at': load_at, 'prefetch_at': prefetch_at, 'set1': set1}


def _stores(emitter, v):
    "Writing vectors to arrays: the vector is the last argument."

    def write(context, builder, signature, args):
        *where, value = args
        address = emitter.pointer(context, builder, signature.args[0], *where)
        builder.store(value, address, align=emitter.bytes)
        return context.get_dummy_value()

    def accumulate(context, builder, signature, args):
        *where, value = args
        address = emitter.pointer(context, builder, signature.args[0], *where)
        total = builder.fadd(builder.load(address, align=emitter.bytes), value)
        builder.store(total, address, align=emitter.bytes)
        return context.get_dummy_value()

    @intrinsic
    def store(typing, a, i, x):
        return types.none(a, types.int64, v), write

    @intrinsic
    def store_at(typing, a, i, n, x):
        return types.none(a, types.int64, types.int64, v), write

    @intrinsic
    def add_at(typing, a, i, n, x):
        return types.none(a, types.int64, types.int64, v), accumulate

    return {'store': store, 'store_at': store_at, 'add_at': add_at}


def _operation(v, n_args, emit, result=None):
    "Intrinsic on vectors from a function of the builder and the arguments; a vector, or `result`."
    result = v if result is None else result

    def codegen(context, builder, signature, args):
        return emit(builder, *args)

    if n_args == 1:

        @intrinsic
        def op(typing, x):
            return result(v), codegen
    elif n_args == 2:

        @intrinsic
        def op(typing, x, y):
            return result(v, v), codegen
    else:

        @intrinsic
        def op(typing, x, y, z):
            return result(v, v, v), codegen

    return op


def _arithmetic(emitter, v):
    "Sums, products and functions, lane by lane, and the sum of the lanes."
    scalar = types.float32 if emitter.single else types.float64
    return {
        'add': _operation(v, 2, lambda builder, x, y: builder.fadd(x, y)),
        'sub': _operation(v, 2, lambda builder, x, y: builder.fsub(x, y)),
        'mul': _operation(v, 2, lambda builder, x, y: builder.fmul(x, y)),
        'div': _operation(v, 2, lambda builder, x, y: builder.fdiv(x, y)),
        'fma': _operation(v, 3, emitter.fma),
        'neg': _operation(v, 1, lambda builder, x: builder.fneg(x)),
        'sqrt': _operation(v, 1, lambda builder, x: emitter.call(builder, 'sqrt', x)),
        'sigmoid': _operation(v, 1, emitter.sigmoid),
        'hsum': _operation(v, 1, emitter.horizontal_sum, scalar),
    }


def _choices(emitter, v):
    "Operations that compare: the larger, the smaller, one value or another."
    return {
        'maximum': _operation(v, 2, emitter.maximum),
        'minimum': _operation(v, 2, emitter.minimum),
        'relu': _operation(v, 1, emitter.relu),
        'relu_gradient': _operation(v, 2, emitter.relu_gradient),
        'reciprocal_or_zero': _operation(v, 1, emitter.reciprocal_or_zero),
        'greater': _operation(v, 2, emitter.greater, types.int64),
    }
