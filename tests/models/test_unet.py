"""The U-Net: hand-worked parameter counts, widths, seeds."""

import numpy as np
import torch

from paraspine import models


def test_parameter_count_by_hand():
    # Widths 2, 3; one image channel; two classes. A block without bias and with batch norm has
    # 9 in out + 2 out parameters.
    down = (9 * 1 * 2 + 4) + (9 * 2 * 2 + 4)  # 22 + 40
    deep = (9 * 2 * 3 + 6) + (9 * 3 * 3 + 6)  # 60 + 87
    up = 4 * 3 * 2 + 2  # transposed 2 x 2 convolution with bias: 26
    level = (9 * 4 * 2 + 4) + (9 * 2 * 2 + 4)  # 76 + 40
    head = 2 * 2 + 2  # 6
    expected = 62 + 147 + 26 + 116 + 6
    assert down + deep + up + level + head == expected == 357
    assert models.parameter_count(models.build("unet", 1, 2, widths=[2, 3])) == 357


def test_parameter_count_of_the_full_size():
    # Widths 64 to 1024, one channel, five classes:
    # blocks down    576+128 + 36864+128; 73728+256 + 147456+256; 294912+512 + 589824+512;
    #                1179648+1024 + 2359296+1024; 4718592+2048 + 9437184+2048
    # enlargements   2097152+512; 524288+256; 131072+128; 32768+64
    # blocks up      4718592+1024 + 2359296+1024; 1179648+512 + 589824+512;
    #                294912+256 + 147456+256; 73728+128 + 36864+128
    # head           320+5
    assert models.parameter_count(models.build("unet", 1, 5)) == 31_036_741


def test_trainable_parameters_only():
    model = models.build("unet", 1, 2, widths=[2, 3])
    model.decoder.head.requires_grad_(False)
    assert models.parameter_count(model, trainable=True) == 357 - 6


def test_the_width_doubles_at_each_step():
    assert models.build("unet", 1, 2, width=3).settings["widths"] == [3, 6, 12, 24, 48]
    shallow = models.build("unet", np.int64(1), 2, width=np.int64(4), depth=2)
    assert (shallow.settings["widths"], shallow.divisor) == ([4, 8, 16], 4)


def test_dropout_of_the_encoder_acts_in_training_alone_and_is_not_sampled():
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    plain = models.build("unet", 1, 2, widths=[2, 3], dropout=0.5)
    both = models.build("unet", 1, 2, widths=[2, 3], dropout=0.5, encoder_dropout=0.3)
    assert [m.p for m in both.encoder.modules() if hasattr(m, "p")] == [0.3] * 4
    assert len(both.sampled_dropout()) == len(plain.sampled_dropout()) == 2
    assert torch.equal(plain.eval()(images), both.eval()(images))
    torch.manual_seed(0)
    features = both.train().encode(images)[0]
    assert not torch.equal(features, both.encode(images)[0])


def test_seed_sets_the_weights_and_leaves_the_global_state():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = models.build("unet", 1, 3, seed=1, widths=[2, 3])
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    second = models.build("unet", 1, 3, seed=1, widths=[2, 3])
    third = models.build("unet", 1, 3, seed=2, widths=[2, 3])
    assert torch.equal(first.encoder[0][0].conv.weight, second.encoder[0][0].conv.weight)
    assert not torch.equal(first.encoder[0][0].conv.weight, third.encoder[0][0].conv.weight)
