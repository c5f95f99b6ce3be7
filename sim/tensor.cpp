#include "sim/tensor.h"

#include <functional>
#include <numeric>

namespace accsim::sim {

std::int64_t Values::size() const {
  return std::visit([](const auto& v) { return static_cast<std::int64_t>(v.size()); }, storage_);
}

double Values::number(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  if (const auto* narrow = std::get_if<std::vector<float>>(&storage_)) return (*narrow)[at];
  if (const auto* wide = std::get_if<std::vector<double>>(&storage_)) return (*wide)[at];
  if (const auto* codes = std::get_if<Coded<std::uint8_t>>(&storage_)) return codes->at(at);
  if (const auto* codes = std::get_if<Coded<std::uint16_t>>(&storage_)) return codes->at(at);
  return formats::to_double(std::get<std::vector<formats::Exact>>(storage_)[at]);
}

void Values::numbers(std::int64_t first, std::span<double> to) const {
  const auto begin = static_cast<std::size_t>(first);
  std::visit(
      [&](const auto& stored) {
        using Stored = std::decay_t<decltype(stored)>;
        for (std::size_t i = 0; i < to.size(); ++i) {
          if constexpr (std::is_same_v<Stored, std::vector<formats::Exact>>) to[i] = formats::to_double(stored[begin + i]);
          else if constexpr (std::is_same_v<Stored, Coded<std::uint8_t>> || std::is_same_v<Stored, Coded<std::uint16_t>>)
            to[i] = stored.at(begin + i);
          else to[i] = stored[begin + i];
        }
      },
      storage_);
}

formats::Exact Values::exact(std::int64_t i) const {
  if (const auto* exact = std::get_if<std::vector<formats::Exact>>(&storage_)) return (*exact)[static_cast<std::size_t>(i)];
  return formats::from_double<formats::Wide>(number(i));
}

std::int64_t Tensor::size() const { return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>{}); }

double Tensor::scale_of(std::int64_t element) const {
  if (scale_axis < 0) return scale[0];
  std::int64_t inner = 1;
  for (std::size_t d = static_cast<std::size_t>(scale_axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  return scale[static_cast<std::size_t>(element / inner % shape[static_cast<std::size_t>(scale_axis)])];
}

}  // namespace accsim::sim
