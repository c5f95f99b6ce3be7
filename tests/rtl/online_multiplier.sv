// The radix-2 serial-parallel online multiplier, online delay 2: x digit by digit (plus - minus), most significant first, times Y =
// y / 2^B, y in two's complement. v = 2w + x Y / 4; the digit is 1 where the estimate of v (both words of the carry-save residual cut to
// quarters) is at least 1/2, -1 where at most -3/4, else 0; w = v - digit. `start` comes with the first digit of x; the digit of weight
// 2^-i stands in the output register after the edge that takes digit i + 2.
// BUG: 1 the residual's carry word is dropped, 2 selection starts a cycle late, 3 the estimate lacks its lowest bit.
module online_multiplier #(
    parameter B = 8,
    parameter BUG = 0
) (
    input  logic         clk, rst, start, x_plus, x_minus,
    input  logic [B-1:0] y,
    output logic         z_plus, z_minus
);
  localparam F = B + 2;  // fraction bits of the residual, beside two integer bits
  localparam W = F + 2;
  logic [W-1:0] sum, carry, old_sum, old_carry, row, new_sum, new_carry;
  logic [B-1:0] held, parallel;
  logic [1:0]   seen, count;  // digits of x so far, up to 3
  logic [3:0]   estimate;
  logic         select, is_plus, is_minus;

  assign parallel = start ? y : held;
  assign count = start ? 2'd0 : seen;
  assign old_sum = start ? {W{1'b0}} : {sum[W-2:0], 1'b0};
  assign old_carry = start ? {W{1'b0}} : {carry[W-2:0], 1'b0};
  // Y / 4 in units of 2^-F is y.
  assign row = (x_plus == x_minus) ? {W{1'b0}}
             : x_plus ? {{4{parallel[B-1]}}, parallel} : -{{4{parallel[B-1]}}, parallel};
  assign new_sum = old_sum ^ old_carry ^ row;
  assign new_carry = (BUG == 1) ? {W{1'b0}}
                   : {(old_sum[W-2:0] & old_carry[W-2:0]) | (old_sum[W-2:0] & row[W-2:0]) | (old_carry[W-2:0] & row[W-2:0]), 1'b0};
  assign estimate = (new_sum[W-1-:4] + new_carry[W-1-:4]) & ((BUG == 3) ? 4'b1110 : 4'b1111);
  assign select = count >= ((BUG == 2) ? 2'd3 : 2'd2);
  assign is_plus = select & !estimate[3] & (estimate[2:0] >= 3'd2);
  assign is_minus = select & estimate[3] & (estimate[2:0] < 3'd6);
  always @(posedge clk) begin
    z_plus <= is_plus & !rst;
    z_minus <= is_minus & !rst;
    seen <= rst ? 2'd0 : (count == 2'd3) ? 2'd3 : count + 2'd1;
    held <= rst ? {B{1'b0}} : parallel;
    if (rst) begin
      sum <= {W{1'b0}};
      carry <= {W{1'b0}};
    end else if (select) begin
      sum <= {estimate - (is_plus ? 4'd4 : is_minus ? 4'd12 : 4'd0), new_sum[W-5:0]};
      carry <= {4'd0, new_carry[W-5:0]};
    end else begin
      sum <= new_sum;
      carry <= new_carry;
    end
  end
endmodule
