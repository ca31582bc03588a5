"""The lecture's sections in order: the slides under one title, what they say, and where that is here."""

from __future__ import annotations

from vaecore.lecture.entries import Door, Section

VAE, SEVERAL, CLIPS, COLLAPSE, PRIORS, END = (
    "Variational autoencoder", "Multi-modal data", "Temporal data", "Posterior collapse", "More flexible priors",
    "Concluding remark")

SECTIONS: tuple[Section, ...] = (
    Section(
        VAE, "Recap of Previous Section",
        "An energy-based model has to run a Markov chain to learn and to sample; a VAE runs none.",
        code=("vaecore.models.single.rbm.RBM",),
        doors=(Door("A Boltzmann machine beside a VAE", "/families"),),
        claims=("C21",)),
    Section(
        VAE, "Recapping Autoencoder",
        "An encoder makes a few numbers of an observation, a decoder the observation of these; PCA is the linear one.",
        equations=(1,),
        code=("vaecore.models.single.autoencoder.AE",),
        doors=(Door("ae in Traverse", "/traverse?run=gallery/ae"),),
        claims=("C24",)),
    Section(
        VAE, "Motivation: Generation with Nonlinear Decoder",
        "A decoder that is given random codes generates; but its likelihood is an integral that nobody can solve.",
        equations=(2, 3, 4),
        code=("vaecore.models.single.ica.ICA",),
        claims=("C20",)),
    Section(
        VAE, "Variational Autoencoder: Generation",
        "A code from N(0, I), then pixels that are independent given it.",
        equations=(5,)),
    Section(
        VAE, "Variational Autoencoder: Inference",
        "A second network, the encoder, guesses the posterior; the ELBO says how good model and guess are together.",
        equations=(6, 7, 8)),
    Section(
        VAE, "Variational Autoencoder: Loss Function",
        "The ELBO as reconstruction less KL: the one by a sample with a gradient, the other in closed form.",
        equations=(9, 10, 11, 12, 13, 14, 15, 16),
        code=("vaecore.probability.gaussian.DiagonalGaussian.rsample",)),
    Section(
        SEVERAL, "Motivation",
        "Modalities of one thing share something, and each has something of its own.",
        doors=(Door("Two pictures of one class", "/cross-modal?run=gallery/dmvae-styled"),),
        code=("vaecore.models.multimodal.dmvae.DMVAE",),
        claims=("C8",)),
    Section(
        SEVERAL, "Linear Method",
        "Canonical correlations, JIVE and multi-block PLS: low-rank parts of several tables of the same rows.",
        code=("vaecore.multiblock.cca.multiset_cca", "vaecore.multiblock.jive.jive",
              "vaecore.multiblock.pls.multiblock_pls"),
        doors=(Door("jive in Cross-modal", "/cross-modal?run=gallery/jive"),),
        claims=("C9",)),
    Section(
        SEVERAL, "Joint Multi-modal VAE",
        "JMVAE: two modalities from one code.",
        equations=(17,)),
    Section(
        SEVERAL, "Joint Multi-modal VAE: Inference",
        "One encoder reads both modalities.",
        equations=(18,)),
    Section(
        SEVERAL, "Joint Multi-modal VAE: Loss Function",
        "The reconstructions of the modalities add up, as they are independent given the code.",
        equations=(19,)),
    Section(
        SEVERAL, "Joint Multi-modal VAE: Addressing Missing Modality",
        "Encoders of one modality each learn from the joint one, and stand in for it where a modality is missing.",
        equations=(20,)),
    Section(
        SEVERAL, "Joint Multi-modal VAE: Result",
        "One modality is given, the other is generated.",
        code=("vaecore.explore.crossmodal.CrossModal",),
        doors=(Door("Give jmvae a label", "/cross-modal?run=gallery/jmvae"),),
        claims=("C7",)),
    Section(
        SEVERAL, "Joint Multi-modal VAE: Generation",
        "A joint VAE, two VAEs, one VAE of both joined end to end: the same data, three models.",
        code=("vaecore.models.multimodal.separate.SeparateVAEs",
              "vaecore.models.multimodal.concatenated.ConcatenatedVAE"),
        doors=(Door("Five ways to model a pair", "/experiments?experiment=same-data"),)),
    Section(
        SEVERAL, "From Bi-modal to Multi-modal",
        "A joint encoder grows with every modality, and there are two to the power of M less one ways to see some.",
        equations=(21,)),
    Section(
        SEVERAL, "Multi-modal VAE",
        "MVAE: M modalities from one code.",
        equations=(22,)),
    Section(
        SEVERAL, "Multi-modal VAE: Inference",
        "A product of experts makes the posterior of any subset from one encoder a modality.",
        equations=(23,)),
    Section(
        SEVERAL, "Multi-modal VAE: Loss Function",
        "The ELBO of all modalities, of each alone, and of random subsets.",
        equations=(24,)),
    Section(
        SEVERAL, "Multi-modal VAE: Addressing Missing Modalities",
        "What is missing is left out of the product, so any pattern of missing modalities can be trained on.",
        code=("vaecore.models.multimodal.mvae.subset_counts", "vaecore.models.multimodal.shared.observed_mask"),
        doors=(Door("63 ways to give six views", "/cross-modal?run=gallery/mvae-views"),),
        claims=("C5", "C6")),
    Section(
        SEVERAL, "Multi-modal VAE: Result",
        "Images from labels, labels from images, and from few complete pairs.",
        code=("vaecore.explore.crossmodal.CrossModal",),
        doors=(Door("mvae in Cross-modal", "/cross-modal?run=gallery/mvae"),),
        claims=("C6",)),
    Section(
        SEVERAL, "Recapping Motivation",
        "One code for all does not tell what is shared from what is a modality's own.",
        code=("vaecore.models.multimodal.dmvae.private",),
        doors=(Door("Swap what is shared in dmvae", "/cross-modal?run=gallery/dmvae"),),
        claims=("C8",)),
    Section(
        SEVERAL, "Disentangled Multi-modal VAE",
        "DMVAE: a code that is shared, and a private one for each modality.",
        equations=(25,)),
    Section(
        SEVERAL, "Disentangled Multi-modal VAE: Inference",
        "The shared code by a product of experts, each private one by its own encoder.",
        equations=(26,)),
    Section(
        SEVERAL, "Disentangled Multi-modal VAE: Loss Function",
        "The joint ELBO, and one for each modality that gives the shared code alone.",
        equations=(27,)),
    Section(
        SEVERAL, "Disentangled Multi-modal VAE: Result",
        "The class of one picture in the style of another.",
        code=("vaecore.models.multimodal.dmvae.DMVAE",),
        doors=(Door("dmvae-styled in Cross-modal", "/cross-modal?run=gallery/dmvae-styled"),),
        claims=("C8",)),
    Section(
        CLIPS, "Motivating Example: Video Generation",
        "A clip is a series of frames; the next ones are to be predicted.",
        code=("vaecore.models.video.shared.VideoFamily",),
        doors=(Door("svg-lp-mnist in Video", "/video?run=gallery/svg-lp-mnist"),)),
    Section(
        CLIPS, "Motivating Example: Uncertainty in Video Data",
        "The future is open: the mean of several futures is a blur.",
        code=("vaecore.models.video.recurrent_predictor.RecurrentPredictor",),
        doors=(Door("One future, which blurs", "/video?run=gallery/predictor-mnist"),),
        claims=("C12",)),
    Section(
        CLIPS, "Auto-Regressive Model",
        "Each frame from those before, without a code: PredNet, and pixel by pixel the Video Pixel Network.",
        code=("vaecore.models.video.prednet.PredNet",
              "vaecore.models.video.video_pixel_network.VideoPixelNetwork"),
        doors=(Door("Train PredNet", "/train?preset=prednet-moving-mnist"),),
        claims=("C10",),
        errata=("E15",)),
    Section(
        CLIPS, "Stochastic Variational Video Prediction",
        "SV2P: one code for a clip, or one for each frame.",
        equations=(28,)),
    Section(
        CLIPS, "SV2P with a Time-invariant Latent Variable: Inference",
        "One code, inferred from all frames.",
        equations=(29,)),
    Section(
        CLIPS, "SV2P with a Time-invariant Latent Variable: Generator Network",
        "The same network predicts every frame: it moves pixels by kernels that it makes anew each time.",
        code=("vaecore.models.video.sv2p.SV2P", "vaecore.nets.cdna"),
        doors=(Door("sv2p-invariant-mnist in Video", "/video?run=gallery/sv2p-invariant-mnist"),)),
    Section(
        CLIPS, "SV2P with a Time-invariant Latent Variable: Inference Network",
        "A network that reads all frames gives the code's mean and variance.",
        code=("vaecore.models.video.sv2p.SV2P.encode",),
        doors=(Door("sv2p-invariant-mnist in Video", "/video?run=gallery/sv2p-invariant-mnist"),),
        claims=("C11",)),
    Section(
        CLIPS, "SV2P with a Time-variant Latent Variable: Generation",
        "A code for each frame.",
        equations=(30,)),
    Section(
        CLIPS, "SV2P with a Time-variant Latent Variable: Inference",
        "The codes of a clip are drawn from one posterior, given all frames.",
        code=("vaecore.models.video.sv2p.SV2P.encode",),
        doors=(Door("sv2p-variant-mnist in Video", "/video?run=gallery/sv2p-variant-mnist"),),
        errata=("E6",)),
    Section(
        CLIPS, "SV2P with a Time-variant Latent Variable: Loss Function",
        "A reconstruction and a KL for each frame.",
        equations=(31,)),
    Section(
        CLIPS, "SV2P with a Time-variant Latent Variable: Architecture",
        "The same generator, given a new code at each frame; trained in three stages.",
        code=("vaecore.models.video.sv2p.ThreeStages", "vaecore.models.video.sv2p.SV2P"),
        doors=(Door("sv2p-variant-mnist in Video", "/video?run=gallery/sv2p-variant-mnist"),),
        claims=("C11",)),
    Section(
        CLIPS, "SV2P with a Time-variant Latent Variable: Result",
        "The best of many futures, scored frame by frame.",
        code=("vaecore.evaluate.video",),
        doors=(Door("Futures side by side",
                    "/compare?runs=gallery/sv2p-invariant-mnist&runs=gallery/sv2p-variant-mnist&section=Pictures"),),
        claims=("C23",)),
    Section(
        CLIPS, "Stochastic Variational Generation",
        "SVG: codes of earlier frames reach later ones.",
        code=("vaecore.models.video.svg.SVG",),
        doors=(Door("svg-lp-mnist in Video", "/video?run=gallery/svg-lp-mnist"),),
        claims=("C12",)),
    Section(
        CLIPS, "SVG with a Fixed Prior: Generation",
        "A code of N(0, I) for each frame, remembered by a recurrent network.",
        equations=(32,)),
    Section(
        CLIPS, "SVG with a Fixed Prior: Inference",
        "The code of a frame is inferred from the frames so far.",
        code=("vaecore.models.video.svg.SVG.encode",),
        doors=(Door("svg-fp-mnist in Video", "/video?run=gallery/svg-fp-mnist"),)),
    Section(
        CLIPS, "SVG with a Fixed Prior: Loss Function",
        "A reconstruction and a KL for each frame.",
        equations=(33,)),
    Section(
        CLIPS, "SVG with a Fixed Prior: Architecture",
        "Recurrent networks carry frames and codes on.",
        code=("vaecore.models.video.svg.LSTM", "vaecore.models.video.svg.SVG"),
        doors=(Door("svg-fp-mnist in Video", "/video?run=gallery/svg-fp-mnist"),)),
    Section(
        CLIPS, "SVG with a Fixed Prior: Result",
        "Many futures of one beginning.",
        code=("vaecore.models.video.rollout.rolled",),
        doors=(Door("Roll out futures of svg-fp-mnist", "/video?run=gallery/svg-fp-mnist"),)),
    Section(
        CLIPS, "SVG with a Learned Prior: Generation",
        "The prior of each code depends on the frames before: it can know when something is due.",
        equations=(34,)),
    Section(
        CLIPS, "SVG with a Learned Prior: Loss Function",
        "As with the fixed prior, with the KL from the learned one.",
        equations=(35, 36)),
    Section(
        CLIPS, "SVG with a Learned Prior: Generator Architecture",
        "A network of its own makes the prior's mean and deviation of the frames before.",
        code=("vaecore.models.video.svg.SVG.priors", "vaecore.models.video.svg.SVG"),
        doors=(Door("svg-lp-mnist in Video", "/video?run=gallery/svg-lp-mnist"),)),
    Section(
        CLIPS, "SVG with a Learned Prior: Training",
        "The posterior's network reads the frame that the prior has to do without.",
        code=("vaecore.models.video.svg.SVG.encode", "vaecore.models.video.svg.SVG.evidence"),
        doors=(Door("Its curves", "/monitor?runs=gallery/svg-lp-mnist"),)),
    Section(
        CLIPS, "SVG with a Learned Prior: Result",
        "Futures that part at the bounce.",
        code=("vaecore.models.video.rollout.rolled",),
        doors=(Door("Roll out futures of svg-lp-mnist", "/video?run=gallery/svg-lp-mnist"),
               Door("The fixed and the learned prior", "/compare?runs=gallery/svg-fp-mnist&runs=gallery/svg-lp-mnist")),
        claims=("C12",)),
    Section(
        COLLAPSE, "Posterior Collapse",
        "The KL can win: then the encoder gives every observation the prior, and the code says nothing.",
        equations=(37,),
        code=("vaecore.evaluate.gamma.collapsed_cost", "vaecore.probability.aggregate.information"),
        claims=("C1", "C14", "C22"),
        errata=("E19",)),
    Section(
        COLLAPSE, "Remedies for Posterior Collapse: Aggressively Updating Inference Network",
        "The encoder is trained until it has caught up, before the decoder moves on.",
        code=("vaecore.training.turns.Turns", "vaecore.schedules.inference.Aggressive"),
        doors=(Door("Encoder and decoder, watched", "/experiments?experiment=lagging"),
               Door("Plain and aggressive",
                    "/monitor?runs=gallery/lagging-basic&runs=gallery/lagging-aggressive")),
        claims=("C13",),
        errata=("E22",)),
    Section(
        COLLAPSE, "Remedies for Posterior Collapse: KL Annealing",
        "Beta rises from 0 to 1 while the training begins.",
        equations=(38,)),
    Section(
        COLLAPSE, "Remedies for Posterior Collapse: Cyclical Annealing Schedule",
        "Beta rises again and again.",
        code=("vaecore.schedules.beta.CyclicalBeta",),
        doors=(Door("Cycles of beta or of the rate", "/experiments?experiment=cyclical"),
               Door("vae-cyclical, its beta and KL", "/monitor?runs=gallery/vae-cyclical")),
        claims=("C16", "C27")),
    Section(
        PRIORS, "More Flexible Prior",
        "N(0, I) is convenient, a mixture says more; its KL is a mean over samples.",
        equations=(39,),
        code=("vaecore.probability.priors.Mixture",)),
    Section(
        PRIORS, "More Flexible Prior: Learned Prior",
        "A prior that depends on something known: the frames before, or a covariate.",
        code=("vaecore.probability.priors.Conditional", "vaecore.models.video.svg.SVG.priors"),
        doors=(Door("A digit that is asked for", "/traverse?run=gallery/vae-conditional&view=Samples"),
               Door("Sources found again", "/traverse?run=gallery/ivae")),
        claims=("C12", "C20")),
    Section(
        PRIORS, "More Flexible Prior: Wasserstein Penalty",
        "A distance of codes from the prior in the place of the KL: no bound any more, and sharper.",
        equations=(40,)),
    Section(
        PRIORS, "More Flexible Prior: Variational Mixture of Posterior Prior",
        "The best prior is the mean of the posteriors; pseudo-inputs make a small one of it.",
        equations=(41,),
        code=("vaecore.probability.priors.ImplicitPrior",)),
    Section(
        END, "ICA vs. Auto-regressive Model vs. Energy-based Model vs. VAE",
        "Four ways to write p(x) down: what each can compute, and what it takes.",
        code=("vaecore.models.single.ica.ICA", "vaecore.models.single.made.MADE", "vaecore.models.single.rbm.RBM",
              "vaecore.models.single.vae.VAE"),
        doors=(Door("Four families, measured", "/families"),),
        claims=("C21",),
        errata=("E23",)),
)
