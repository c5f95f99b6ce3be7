// An online inner product: N serial-parallel multipliers before a tree of adders. Every term's x comes digit by digit, with `start` the first
// digits and all Y. The digit of weight 2^-(1-L) stands in the output register 3 + 2 L clocks after the first digits, L = ceil(log2 N).
// BUG: 1 the carry word of multiplier 4's residual is dropped, 2 an odd stream of the tree waits a register less, 3 the adders' carries h are
// dropped.
module online_inner_product #(
    parameter N = 9,
    parameter B = 8,
    parameter BUG = 0
) (
    input  logic           clk, rst, start,
    input  logic [N-1:0]   x_plus, x_minus,
    input  logic [N*B-1:0] y,  // term t at bits B t
    output logic [N-1:0]   p_plus, p_minus,
    output logic           z_plus, z_minus
);
  genvar t;
  generate
    for (t = 0; t < N; t = t + 1) begin : term
      online_multiplier #(.B(B), .BUG((BUG == 1 && t == 4) ? 1 : 0)) multiplier (.clk, .rst, .start, .x_plus(x_plus[t]), .x_minus(x_minus[t]),
          .y(y[B*t+:B]), .z_plus(p_plus[t]), .z_minus(p_minus[t]));
    end
  endgenerate
  online_adder_tree #(.N(N), .BUG((BUG == 3) ? 1 : (BUG == 2) ? 2 : 0)) tree (.clk, .rst, .x_plus(p_plus), .x_minus(p_minus), .z_plus, .z_minus);
endmodule
