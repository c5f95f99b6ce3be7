// Choosing the carrier and filling it, block by block.
#include "traces/tensor_reader.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "traces/block_reader.h"
#include "traces/element_decoder.h"

namespace accsim::traces {
namespace {

using formats::Exact;
using formats::Wide;

/// The smallest carrier that holds all elements. Reads them unless the type alone says binary32.
Carrier smallest_carrier(const Dataset& dataset, ElementDecoder& decoder) {
  const Carrier largest = decoder.carrier_by_type();
  Carrier needed = Carrier::binary32;
  if (largest == needed) return needed;
  read_runs(dataset, [&](std::int64_t first, std::span<const std::byte> run) {
    const DecodedRun& values = decoder.decode(first, run);
    if (!values.beyond.empty()) needed = Carrier::exact;
    else if (needed == Carrier::binary32 && !std::all_of(values.numbers.begin(), values.numbers.end(), fits_binary32)) {
      needed = Carrier::binary64;
    }
    return needed != largest;
  });
  return needed;
}

/// Reads all runs and hands each to put(first element, decoded values).
template <class Put>
void read_decoded(const Dataset& dataset, ElementDecoder& decoder, Put&& put) {
  read_runs(dataset, [&](std::int64_t first, std::span<const std::byte> run) {
    put(first, decoder.decode(first, run));
    return true;
  });
}

[[noreturn]] void carrier_too_small() { throw std::logic_error("an element does not fit the carrier chosen for its dataset"); }

sim::Values read_binary32(const Dataset& dataset, ElementDecoder& decoder) {
  std::vector<float> values(static_cast<std::size_t>(dataset.size()));
  if (decoder.is_plain_binary32()) {
    read_runs(dataset, [&](std::int64_t first, std::span<const std::byte> run) {
      std::memcpy(&values[static_cast<std::size_t>(first)], run.data(), run.size());
      return true;
    });
    return sim::Values(std::move(values));
  }
  read_decoded(dataset, decoder, [&](std::int64_t first, const DecodedRun& run) {
    if (!run.beyond.empty()) carrier_too_small();
    for (std::size_t i = 0; i < run.numbers.size(); ++i) {
      if (!fits_binary32(run.numbers[i])) carrier_too_small();
      values[static_cast<std::size_t>(first) + i] = static_cast<float>(run.numbers[i]);
    }
  });
  return sim::Values(std::move(values));
}

sim::Values read_binary64(const Dataset& dataset, ElementDecoder& decoder) {
  std::vector<double> values(static_cast<std::size_t>(dataset.size()));
  read_decoded(dataset, decoder, [&](std::int64_t first, const DecodedRun& run) {
    if (!run.beyond.empty()) carrier_too_small();
    std::copy(run.numbers.begin(), run.numbers.end(), values.begin() + first);
  });
  return sim::Values(std::move(values));
}

sim::Values read_exact(const Dataset& dataset, ElementDecoder& decoder) {
  std::vector<Exact> values(static_cast<std::size_t>(dataset.size()));
  read_decoded(dataset, decoder, [&](std::int64_t first, const DecodedRun& run) {
    const auto begin = values.begin() + first;
    std::transform(run.numbers.begin(), run.numbers.end(), begin, formats::from_double<Wide>);
    for (const auto& [index, value] : run.beyond) begin[static_cast<std::ptrdiff_t>(index)] = value;
  });
  return sim::Values(std::move(values));
}

sim::Values read_values(const Dataset& dataset, ElementDecoder& decoder) {
  switch (smallest_carrier(dataset, decoder)) {
    case Carrier::binary32: return read_binary32(dataset, decoder);
    case Carrier::binary64: return read_binary64(dataset, decoder);
    case Carrier::exact: return read_exact(dataset, decoder);
  }
  return {};
}

/// (decode(code) - zero_point) * scale, rounded once to binary64.
sim::Values read_scaled(const Dataset& dataset, ElementDecoder& decoder) {
  std::vector<double> values(static_cast<std::size_t>(dataset.size()));
  const auto scale_of = [&](std::int64_t element) { return dataset.scale[decoder.channel(element)]; };
  read_decoded(dataset, decoder, [&](std::int64_t first, const DecodedRun& run) {
    for (std::size_t i = 0; i < run.numbers.size(); ++i) {
      const std::int64_t element = first + static_cast<std::int64_t>(i);
      values[static_cast<std::size_t>(element)] = run.numbers[i] * scale_of(element);
    }
    for (const auto& [index, value] : run.beyond) {
      const std::int64_t element = first + static_cast<std::int64_t>(index);
      const Exact scaled = formats::product(value, formats::from_double<Wide>(scale_of(element)));
      values[static_cast<std::size_t>(element)] = formats::to_double(scaled);
    }
  });
  return sim::Values(std::move(values));
}

bool is_less(const Exact& a, const Exact& b) {
  if (a.is_zero() && b.is_zero()) return false;
  if (a.negative != b.negative) return a.negative ? !a.is_zero() || !b.is_zero() : false;
  const auto order = formats::compare_magnitude(a, b);
  return a.negative ? order > 0 : order < 0;
}

bool all_equal(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [&](double x) { return x == values.front(); });
}

void keep_meaning(const Dataset& dataset, sim::Tensor& tensor) {
  tensor.format = dataset.format;
  if (!dataset.zero_point.empty()) {
    const auto [smallest, largest] = std::minmax_element(dataset.zero_point.begin(), dataset.zero_point.end(), is_less);
    tensor.zero_point_min = *smallest;
    tensor.zero_point_max = *largest;
  }
  if (all_equal(dataset.scale)) {
    tensor.scale = {dataset.scale.front()};
  } else {
    tensor.scale = dataset.scale;
    tensor.scale_axis = dataset.axis;
  }
}

}  // namespace

bool scale_varies_in_sums(const Dataset& dataset, const std::vector<SummedAxis>& summed) {
  if (dataset.scale.size() <= 1) return false;
  for (const SummedAxis& s : summed) {
    if (s.axis != dataset.axis) continue;
    for (std::size_t i = 0; i < dataset.scale.size(); ++i) {
      if (dataset.scale[i] != dataset.scale[i - i % static_cast<std::size_t>(s.run)]) return true;
    }
  }
  return false;
}

void check_elements(const Dataset& dataset) {
  ElementDecoder decoder(dataset);
  if (decoder.takes_everything()) read_runs(dataset, [](std::int64_t, std::span<const std::byte>) { return true; });
  else read_decoded(dataset, decoder, [](std::int64_t, const DecodedRun&) {});
}

sim::Tensor read_tensor(const Dataset& dataset, const std::vector<SummedAxis>& summed) {
  ElementDecoder decoder(dataset);
  sim::Tensor tensor;
  tensor.shape = dataset.shape;
  if (scale_varies_in_sums(dataset, summed)) {
    tensor.values = read_scaled(dataset, decoder);
  } else {
    tensor.values = read_values(dataset, decoder);
    keep_meaning(dataset, tensor);
  }
  return tensor;
}

}  // namespace accsim::traces
