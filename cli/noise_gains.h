// Noise gains of a network, from a file: what precision assignment needs and a trace of single layers does not have.
#pragma once

#include <map>
#include <string>

namespace accsim::cli {

/// By layer name without its step. TOML or JSON of tables [activation], [weight] and, where known, [lambda]:
///   activation: E of the layer's input (formula F1: what noise on it does to the network's decision), weight: E of its weight,
///   lambda: the largest singular value of the squared Jacobian of its weight gradient by its output gradient (F5).
struct NoiseGains {
  std::map<std::string, double> activation, weight, lambda;
};

/// InputError: unreadable, neither TOML nor JSON (by the ending .json), an unknown table, a value that is no positive finite number.
NoiseGains read_noise_gains(const std::string& path);

}  // namespace accsim::cli
