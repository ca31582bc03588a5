"""The 41 numbered equations, in the lecture's own notation: z is the code, x what is observed."""

from __future__ import annotations

from vaecore.lecture.entries import Door, Equation

EQUATIONS: tuple[Equation, ...] = (
    Equation(
        1, r"""
        W^* \in \arg \min_W \left( n^{-1} \sum_{i=1}^n \|\vec{x}_i - WW^T \vec{x}_i\|^2 \right) \text{ subject
          to } W^T W = I_r.""",
        "PCA is the best linear autoencoder: r orthonormal directions that lose the least squared error.",
        code=(
            "vaecore.models.single.pca.PCA",
            "vaecore.models.single.principal.principal",
            "vaecore.models.single.linear_ae.LinearAE"),
        doors=(
            Door("pca in Traverse", "/traverse?run=gallery/pca"),
            Door("PCA, AE and VAE side by side", "/compare?runs=gallery/pca&runs=gallery/ae"
                 "&runs=gallery/vae-gaussian")),
        claims=("C2",)),
    Equation(
        2, r"p_{\theta}(\vec{z}, \vec{x}) := p(\vec{z})p_{\theta}(\vec{x}|\vec{z})",
        "A generator draws a code from the prior, then an observation from what a network makes of that code.",
        code=("vaecore.models.base.Family.sample", "vaecore.models.single.vae.VAE.decode"),
        doors=(Door("Samples of vae", "/traverse?run=gallery/vae&view=Samples"),)),
    Equation(
        3, r"\theta^* \in \arg \max_{\theta} \sum_{i=1}^n \log p_{\theta}(\vec{x}_i).",
        "Maximum likelihood: the parameters under which the data are the most probable.",
        code=("vaecore.evaluate.likelihood.exact_likelihood", "vaecore.models.single.made.MADE.evidence"),
        doors=(Door("Four families by log p(x)", "/families"),),
        claims=("C21",)),
    Equation(
        4, r"""
        \begin{aligned} & p(\vec{z}) p_{\theta}(\vec{x}_i | \vec{z}) \\
        & \propto \exp(-\vec{z}^T \vec{z}/2) \cdot |\Sigma_{\vec{X}|\vec{Z}}(\vec{z})|^{-1/2} \exp(-(\vec{x}_i -
          \mu_{\vec{X}|\vec{Z}}(\vec{z}))^T \Sigma_{\vec{X}|\vec{Z}}(\vec{z})^{-1} (\vec{x}_i -
          \mu_{\vec{X}|\vec{Z}}(\vec{z}))/2) \end{aligned}""",
        "What the likelihood integrates over is a nonlinear function of the code, so the integral has no closed form.",
        code=("vaecore.models.single.vae.VAE.drawn", "vaecore.evaluate.likelihood.importance_log_weights"),
        doors=(Door("log p(x) of vae-binary, estimated", "/evaluate?run=gallery/vae-binary"),),
        claims=("C3",)),
    Equation(
        5, r"""
        \begin{aligned} p_\theta(\vec{z}, \vec{x}) &= \left( \prod_{j=1}^r p(z_j) \right) \left( \prod_{j=1}^p
          p_\theta(x_j|\vec{z}) \right) \\
        &= \prod_{j=1}^r \left( \frac{1}{\sqrt{2\pi}} \exp\left(-\frac{z_j^2}{2}\right) \right) \prod_{j=1}^p
          \left( \frac{1}{\sqrt{2\pi\sigma_{X_j|\vec{Z}}^2(\vec{z})}} \exp\left(-\frac{(x_j -
          \mu_{X_j|\vec{Z}}(\vec{z}))^2}{2\sigma_{X_j|\vec{Z}}^2(\vec{z})}\right) \right). \end{aligned}""",
        "Codes are independent standard normal, and pixels are independent normal given the code.",
        code=(
            "vaecore.probability.gaussian.StandardNormal",
            "vaecore.probability.likelihoods.GaussianPixels",
            "vaecore.models.single.vae.VAE.drawn"),
        doors=(
            Door("vae in Traverse", "/traverse?run=gallery/vae"),
            Door("The prior of vae", "/traverse?run=gallery/vae&view=Prior")),
        claims=("C1",)),
    Equation(
        6, r"""
        \text{ELBO}(\theta, \phi; \vec{x}) := \log p_\theta(\vec{x}) - \text{KL}(q_\phi(\vec{z}|\vec{x}) ||
          p_\theta(\vec{z}|\vec{x})),""",
        "The ELBO is log p(x) less how far the encoder's posterior is from the true one.",
        code=("vaecore.models.evidence.Evidence.elbo", "vaecore.evaluate.likelihood.log_likelihood"),
        doors=(Door("ELBO and log p(x) of vae-binary", "/evaluate?run=gallery/vae-binary"),),
        claims=("C1",)),
    Equation(
        7, r"-\int \text{ELBO}(\theta, \phi; \vec{x}) d\mathbb{P}_n(\vec{x}).",
        "Training minimises the negative ELBO, averaged over the data.",
        code=("vaecore.models.evidence.Terms.loss", "vaecore.models.base.Family.loss"),
        doors=(Door("Its curve while vae trained", "/monitor?runs=gallery/vae"),),
        claims=("C1",)),
    Equation(
        8, r"""
        \mathbb{P}_{\theta^*} \in \arg \min_{\mathbb{P}_{\theta}} \text{KL}(\mathbb{P}_n \|
          \mathbb{P}_{\theta}).""",
        "With an encoder that is flexible enough, the best ELBO gives the model nearest to the data.",
        code=("vaecore.models.evidence.Objective.terms",),
        doors=(Door("Four families by log p(x)", "/families"),),
        claims=("E7",)),
    Equation(
        9, r"""
        \begin{aligned} \text{ELBO}(\theta, \phi; \vec{x}) &:= \log p_\theta(\vec{x}) -
          \text{KL}(q_\phi(\vec{z}|\vec{x})||p_\theta(\vec{z}|\vec{x})) \\
        &= \int \left( \log p_\theta(\vec{x}|\vec{z}) \right) q_\phi(\vec{z}|\vec{x}) d\vec{z} -
          \text{KL}(q_\phi(\vec{z}|\vec{x})||p(\vec{z})). \end{aligned}""",
        "The ELBO is what can be computed: how well codes explain x, less what they cost as seen from the prior.",
        code=("vaecore.models.single.vae.VAE.evidence", "vaecore.models.evidence.Evidence.elbo"),
        doors=(Door("vae in Traverse", "/traverse?run=gallery/vae"),),
        claims=("C1", "C22")),
    Equation(
        10, r"""
        \begin{aligned} \log p_\theta(\vec{x}) &= \log \left( \int p_\theta(\vec{x}|\vec{z}) p(\vec{z}) d\vec{z}
          \right) \\
        &= \log \left( \int \frac{p_\theta(\vec{x}|\vec{z}) p(\vec{z})}{q_\phi(\vec{z}|\vec{x})}
          q_\phi(\vec{z}|\vec{x}) d\vec{z} \right) \\
        &\geq \int \left( \log \left( \frac{p_\theta(\vec{x}|\vec{z}) p(\vec{z})}{q_\phi(\vec{z}|\vec{x})}
          \right) \right) q_\phi(\vec{z}|\vec{x}) d\vec{z} \\
        &= \int (\log p_\theta(\vec{x}|\vec{z})) q_\phi(\vec{z}|\vec{x}) d\vec{z} - \int \left( \log
          \frac{q_\phi(\vec{z}|\vec{x})}{p(\vec{z})} \right) q_\phi(\vec{z}|\vec{x}) d\vec{z} \\
        &= \int (\log p_\theta(\vec{x}|\vec{z})) q_\phi(\vec{z}|\vec{x}) d\vec{z} -
          \text{KL}(q_\phi(\vec{z}|\vec{x}) || p(\vec{z})). \end{aligned}""",
        "Jensen's inequality: the mean of a logarithm lies below the logarithm of the mean.",
        code=("vaecore.models.single.bounds.ImportanceWeighted", "vaecore.evaluate.likelihood.log_likelihood"),
        doors=(
            Door("log p(x) by K codes", "/evaluate?run=gallery/vae-binary"),
            Door("Train the bound of K codes", "/train?preset=iwae-mnist")),
        claims=("C3", "C26")),
    Equation(
        11, r"""
        -\int (\log p_\theta(\vec{x}|\vec{z})) q_\phi(\vec{z}|\vec{x}) d\vec{z} \approx -M^{-1} \sum_{m=1}^M
          \log p_\theta(\vec{x}|\vec{z}_m)""",
        "The reconstruction is a mean over codes drawn from the encoder; one code a step is the usual.",
        code=("vaecore.models.single.vae.VAE.evidence", "vaecore.probability.gaussian.DiagonalGaussian.rsample"),
        doors=(Door("Reconstructions of vae", "/traverse?run=gallery/vae&view=Reconstructions"),),
        claims=("C1",)),
    Equation(
        12, r"""
        \log p_\theta(\vec{x}|\vec{z}_m) = -\frac{1}{2} \sum_{j=1}^p \log(2\pi\sigma_{X_j|\vec{Z}}^2(\vec{z}_m))
          - \sum_{j=1}^p (x_j - \mu_{X_j|\vec{Z}}(\vec{z}_m))^2 / 2\sigma_{X_j|\vec{Z}}^2(\vec{z}_m).""",
        "A normal log-density a pixel: its squared error over twice the variance, and the logarithm of that variance.",
        code=(
            "vaecore.probability.gaussian.gaussian_log_prob",
            "vaecore.probability.likelihoods.GaussianPixels.log_prob"),
        doors=(Door("When a variance makes it collapse", "/experiments?experiment=gamma"),),
        claims=("C14", "C25")),
    Equation(
        13, r"\log p_{\theta}(\vec{x}_i) \approx M^{-1} \sum_{m=1}^M \log p_{\theta}(\vec{x}_i | \vec{z}_m)",
        "As printed, a mean of log p(x|z) over the prior: not an estimate of log p(x).",
        code=("vaecore.evaluate.naive.estimates",),
        doors=(Door("Both estimates of vae-binary", "/evaluate?run=gallery/vae-binary"),),
        claims=("C3",)),
    Equation(
        14, r"\log p_{\theta}(\vec{x}_i) \approx M^{-1} \sum_{m=1}^M \log p_{\theta}(\vec{x}_i | \vec{z}_{i,m})",
        "As printed, the reconstruction alone: each code has to be weighed by p(z)/q(z|x).",
        code=("vaecore.evaluate.likelihood.importance_log_weights", "vaecore.evaluate.naive.estimates"),
        doors=(Door("Both estimates of vae-binary", "/evaluate?run=gallery/vae-binary"),),
        claims=("C3", "C26")),
    Equation(
        15, r"""
        \begin{aligned} & \text{KL}(p(\vec{x}; \vec{\mu}_1, \Sigma_1) || p(\vec{x}; \vec{\mu}_2, \Sigma_2)) \\
        &= \frac{1}{2} \left( (\vec{\mu}_2 - \vec{\mu}_1)^T \Sigma_2^{-1} (\vec{\mu}_2 - \vec{\mu}_1) +
          \text{tr}(\Sigma_2^{-1} \Sigma_1) - \log \frac{|\Sigma_1|}{|\Sigma_2|} - p \right). \end{aligned}""",
        "The KL between two normal distributions has a closed form.",
        code=("vaecore.probability.gaussian.gaussian_kl",),
        doors=(Door("KL of each dimension of vae", "/monitor?runs=gallery/vae"),),
        claims=("C1",)),
    Equation(
        16, r"""
        \frac{1}{2} \left( \sum_{j=1}^p \mu_{Z_j|\vec{X}}^2(\vec{x}) + \sum_{j=1}^p
          \sigma_{Z_j|\vec{X}}^2(\vec{x}) - \sum_{j=1}^p \log \sigma_{Z_j|\vec{X}}^2(\vec{x}) - p \right).""",
        "The KL penalty in closed form: a sum over latent dimensions.",
        code=("vaecore.probability.gaussian.DiagonalGaussian.kl_from_standard",),
        doors=(
            Door("KL of each dimension of vae", "/monitor?runs=gallery/vae"),
            Door("Dimensions die as beta rises", "/experiments?experiment=water-filling")),
        claims=("C1",)),
    Equation(
        17, r"""
        p_{\theta}(\vec{z}, \vec{x}^{(1)}, \vec{x}^{(2)}) :=
          p(\vec{z})p_{\theta}(\vec{x}^{(1)}|\vec{z})p_{\theta}(\vec{x}^{(2)}|\vec{z})""",
        "Two modalities come from one code, and are independent given it.",
        code=("vaecore.models.multimodal.shared.Multimodal.decode",),
        doors=(Door("jmvae in Cross-modal", "/cross-modal?run=gallery/jmvae"),),
        claims=("C7",)),
    Equation(
        18, r"q_{\phi}(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}).",
        "One encoder reads both modalities.",
        code=("vaecore.models.multimodal.jmvae.JointEncoder.forward",),
        doors=(Door("jmvae in Cross-modal", "/cross-modal?run=gallery/jmvae"),),
        claims=("C7",)),
    Equation(
        19, r"""
        \begin{aligned} & -\log p_\theta(\vec{x}^{(1)}, \vec{x}^{(2)}) + \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1)},
          \vec{x}^{(2)})||p_\theta(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)})) \\
        &= - \int \left( \log p_\theta(\vec{x}^{(1)}, \vec{x}^{(2)}|\vec{z}) \right)
          q_\phi(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) d\vec{z} + \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1)},
          \vec{x}^{(2)})||p(\vec{z})) \\
        &= - \int \left( \log p_\theta(\vec{x}^{(1)}|\vec{z}) + \log p_\theta(\vec{x}^{(2)}|\vec{z}) \right)
          q_\phi(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) d\vec{z} + \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1)},
          \vec{x}^{(2)})||p(\vec{z})). \end{aligned}""",
        "The loss, a negative ELBO: one reconstruction for each modality, one KL.",
        code=(
            "vaecore.models.multimodal.jmvae.JMVAE.objective",
            "vaecore.models.multimodal.shared.Multimodal.evidence"),
        doors=(Door("jmvae in Cross-modal", "/cross-modal?run=gallery/jmvae"),),
        claims=("C7",)),
    Equation(
        20, r"""
        \begin{aligned} & - \int \left( \log p_{\theta}(\vec{x}^{(1)}|\vec{z}) + \log
          p_{\theta}(\vec{x}^{(2)}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) d\vec{z} +
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) || p(\vec{z})) \\
        & + \alpha \left( \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) ||
          q_{\phi^{(1)}}(\vec{z}|\vec{x}^{(1)})) + \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1)}, \vec{x}^{(2)}) ||
          q_{\phi^{(2)}}(\vec{z}|\vec{x}^{(2)})) \right). \end{aligned}""",
        "Encoders of one modality learn to stand in for the joint one, by alpha times two KL.",
        code=(
            "vaecore.models.multimodal.jmvae.JMVAE.objective",
            "vaecore.models.multimodal.jmvae.JointEncoder.singles"),
        doors=(Door("jmvae in Cross-modal", "/cross-modal?run=gallery/jmvae"),),
        claims=("C7",)),
    Equation(
        21, r"""
        \begin{aligned} & -\log p_{\theta}(\vec{x}^{(1)}, \dots, \vec{x}^{(M)}) +
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1)}, \dots, \vec{x}^{(2)})) \\
        &= - \int \left( \sum_{m=1}^M \log p_{\theta}(\vec{x}^{(m)}|\vec{z}) \right)
          q_{\phi}(\vec{z}|\vec{x}^{(1)}, \dots, \vec{x}^{(M)}) d\vec{z} +
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1)}, \dots, \vec{x}^{(M)}) || p(\vec{z})). \end{aligned}""",
        "The same for M modalities, whose joint encoder has to read them all.",
        code=("vaecore.models.multimodal.shared.Multimodal.evidence",),
        doors=(Door("mvae-views in Cross-modal", "/cross-modal?run=gallery/mvae-views"),),
        claims=("C7",)),
    Equation(
        22, r"""
        p_{\theta^{(1:M)}}(\vec{z}, \vec{x}^{(1:M)}) := p(\vec{z}) \prod_{m=1}^M p_{\theta^{(m)}}(\vec{x}^{(m)}
          | \vec{z})""",
        "M modalities from one code, each by its own decoder.",
        code=("vaecore.models.multimodal.shared.Multimodal.decode", "vaecore.models.multimodal.mvae.MVAE"),
        doors=(Door("mvae in Cross-modal", "/cross-modal?run=gallery/mvae"),),
        claims=("C4",)),
    Equation(
        23, r"""
        p_{\theta^{(1:M)}}(\vec{z}|\vec{x}^{(1:M)}) \propto \frac{\prod_{m=1}^M
          p_{\theta^{(m)}}(\vec{z}|\vec{x}^{(m)})}{p(\vec{z})^{M-1}}""",
        "The posterior given all is a product of those given each, with the prior counted once.",
        code=("vaecore.probability.gaussian.Experts.product", "vaecore.models.multimodal.mvae.MVAE.experts_of"),
        doors=(Door("mvae in Cross-modal", "/cross-modal?run=gallery/mvae"),),
        claims=("C4",)),
    Equation(
        24, r"""
        \begin{aligned} & -\log p_{\theta^{(1:M)}}(\vec{x}^{(1:M)}) +
          \text{KL}(q_{\phi^{(1:M)}}(\vec{z}|\vec{x}^{(1:M)})||p_{\theta^{(1:M)}}(\vec{z}|\vec{x}^{(1:M)})) \\
        &= -\int \left( \sum_{m=1}^M \log p_{\theta^{(m)}}(\vec{x}^{(m)}|\vec{z}) \right)
          q_{\phi^{(1:M)}}(\vec{z}|\vec{x}^{(1:M)}) d\vec{z} +
          \text{KL}(q_{\phi^{(1:M)}}(\vec{z}|\vec{x}^{(1:M)})||p(\vec{z})) \end{aligned}""",
        "The loss of all modalities, a negative ELBO; the posterior is prior times experts.",
        code=("vaecore.models.multimodal.mvae.MVAE.objective", "vaecore.probability.gaussian.Experts.product"),
        doors=(
            Door("mvae in Cross-modal", "/cross-modal?run=gallery/mvae"),
            Door("mvae-views in Cross-modal", "/cross-modal?run=gallery/mvae-views")),
        claims=("C4", "C5", "C6")),
    Equation(
        25, r"""
        p_{\theta(1:M)}(\vec{j}, \vec{i}^{(1:M)}, \vec{x}^{(1:M)}) := p(\vec{j}) \prod_{m=1}^M p(\vec{i}^m)
          \left( \prod_{m=1}^M p_{\theta(m)}(\vec{x}^{(m)} | \vec{j}, \vec{i}^{(m)}) \right).""",
        "A code that all modalities share, and one of each modality's own.",
        code=("vaecore.models.multimodal.dmvae.DMVAE",),
        doors=(
            Door("dmvae in Cross-modal", "/cross-modal?run=gallery/dmvae"),
            Door("dmvae-styled in Cross-modal", "/cross-modal?run=gallery/dmvae-styled")),
        claims=("C8",)),
    Equation(
        26, r"""
        p_{\theta^{(1:M)}}(\vec{j}, \vec{i}^{(1:M)} | \vec{x}^{(1:M)}) \propto \frac{\prod_{m=1}^M
          p_{\theta^{(m)}}(\vec{j}, \vec{i}^{(m)} | \vec{x}^{(m)})}{p(\vec{j})^{M-1}}""",
        "Shared and private posteriors from all modalities: again a product over the prior.",
        code=("vaecore.models.multimodal.dmvae.DMVAE.encode",),
        doors=(Door("dmvae in Cross-modal", "/cross-modal?run=gallery/dmvae"),),
        claims=("C8",)),
    Equation(
        27, r"""
        \begin{aligned} & -\log p_{\theta^{(1:M)}}(\vec{x}^{(1:M)}) + \text{KL}(q_{\phi^{(1:M)}}(\vec{j},
          \vec{i}^{(1:M)} | \vec{x}^{(1:M)}) || p_{\theta^{(1:M)}}(\vec{j}, \vec{i}^{(1:M)} | \vec{x}^{(1:M)}))
          \\
        &= -\sum_{m=1}^M \int \left( \log p_{\theta^{(m)}}(\vec{x}^{(m)} | \vec{j}, \vec{i}^{(m)}) \right)
          q_{\phi^{(1:M)}}(\vec{j} | \vec{x}^{(1:M)}) q_{\phi^{(m)}}(\vec{i}^{(m)} | \vec{x}^{(m)}) d\vec{j}
          d\vec{i}^{(m)} \\
        &+ \text{KL}(q_{\phi^{(1:M)}}(\vec{j} | \vec{x}^{(1:M)}) || p(\vec{j})) + \sum_{m=1}^M
          \text{KL}(q_{\phi^{(m)}}(\vec{i}^{(m)} | \vec{x}^{(m)}) || p(\vec{i}^{(m)})) \end{aligned}""",
        "The loss with shared and private codes: a reconstruction and a private KL a modality, and one shared KL.",
        code=("vaecore.models.multimodal.dmvae.DMVAE.objective",),
        doors=(
            Door("dmvae in Cross-modal", "/cross-modal?run=gallery/dmvae"),
            Door("dmvae-styled in Cross-modal", "/cross-modal?run=gallery/dmvae-styled")),
        claims=("C8",)),
    Equation(
        28, r"""
        p_{\theta}(\vec{z}, \vec{x}^{(1:T)}) =
          p(\vec{z})p_{\theta}(\vec{x}^{(1)}|\vec{z})p_{\theta}(\vec{x}^{(2)}|\vec{z}, \vec{x}^{(1)}) \cdots
          p_{\theta}(\vec{x}^{(T)}|\vec{z}, \vec{x}^{(1:(T-1))}).""",
        "One code for a whole clip; each frame comes from it and from the frames before.",
        code=("vaecore.models.video.sv2p.SV2P",),
        doors=(Door("sv2p-invariant-mnist in Video", "/video?run=gallery/sv2p-invariant-mnist"),),
        claims=("C23",)),
    Equation(
        29, r"""
        \begin{aligned} & -\log p_\theta(\vec{x}^{(1:T)}) +
          \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1:T)})||p_\theta(\vec{z}|\vec{x}^{(1:T)})) \\
        &= - \int (\log p_\theta(\vec{x}^{(1:T)}|\vec{z})) q_\phi(\vec{z}|\vec{x}^{(1:T)}) d\vec{z} +
          \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1:T)})||p(\vec{z})) \\
        &= - \sum_{t=1}^T \int (\log p_\theta(\vec{x}^{(t)}|\vec{z})) q_\phi(\vec{z}|\vec{x}^{(1:T)}) d\vec{z} +
          \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1:T)})||p(\vec{z})). \end{aligned}""",
        "The loss of a clip with one code, a negative ELBO.",
        code=("vaecore.models.video.sv2p.SV2P.evidence",),
        doors=(Door("sv2p-invariant-mnist in Video", "/video?run=gallery/sv2p-invariant-mnist"),),
        claims=("C11", "C23")),
    Equation(
        30, r"""
        p_\theta(\vec{z}^{(1:T)}, \vec{x}^{(1:T)}) = \prod_{t=1}^T p(\vec{z}^{(t)}) \prod_{t=1}^T
          p_\theta(\vec{x}^{(t)} | \vec{z}^{(t)}, \vec{x}^{(1:(t-1))}).""",
        "A code for each frame, drawn from a fixed prior.",
        code=("vaecore.models.video.sv2p.SV2P",),
        doors=(Door("sv2p-variant-mnist in Video", "/video?run=gallery/sv2p-variant-mnist"),),
        claims=("C23",)),
    Equation(
        31, r"""
        \begin{aligned} & -\log p_\theta(\vec{x}^{(1:T)}) +
          \text{KL}(q_\phi(\vec{z}^{(1:T)}|\vec{x}^{(1:T)})||p_\theta(\vec{z}^{(1:T)}|\vec{x}^{(1:T)})) \\
        &= \sum_{t=1}^T \left( -\int \left( \log p_\theta(\vec{x}^{(t)}|\vec{z}^{(t)}, \vec{x}^{(1:(t-1))})
          \right) q_\phi(\vec{z}^{(t)}|\vec{x}^{(1:T)}) d\vec{z}^{(t)} \right. \\
        & \quad \left. + \text{KL}(q_\phi(\vec{z}^{(t)}|\vec{x}^{(1:T)})||p(\vec{z}^{(t)})) \right)
          \end{aligned}""",
        "The loss with a code a frame, a negative ELBO: a sum over frames.",
        code=("vaecore.models.video.sv2p.SV2P.evidence",),
        doors=(Door("sv2p-variant-mnist in Video", "/video?run=gallery/sv2p-variant-mnist"),),
        claims=("C11", "C23")),
    Equation(
        32, r"""
        p_{\theta}(\vec{z}^{(1:T)}, \vec{x}^{(1:T)}) = \prod_{t=1}^T p(\vec{z}^{(t)}) \prod_{t=1}^T
          p_{\theta}(\vec{x}^{(t)} | \vec{z}^{(1:t)}, \vec{x}^{(1:(t-1))}).""",
        "Each frame comes from all codes so far and from the frames before.",
        code=("vaecore.models.video.svg.SVG",),
        doors=(Door("svg-fp-mnist in Video", "/video?run=gallery/svg-fp-mnist"),),
        claims=("C12",)),
    Equation(
        33, r"""
        \begin{aligned} & -\log p_\theta(\vec{x}^{(1:T)}) +
          \text{KL}(q_\phi(\vec{z}^{(1:T)}|\vec{x}^{(1:T)})||p_\theta(\vec{z}^{(1:T)}|\vec{x}^{(1:T)})) \\
        &= \sum_{t=1}^T \left( - \int \left( \log p_\theta(\vec{x}^{(t)}|\vec{z}^{(1:t)}, \vec{x}^{(1:(t-1))})
          \right) \prod_{t'=1}^t q_\phi(\vec{z}^{(t')}|\vec{x}^{(1:t')}) d\vec{z}^{(t')} \right. \\
        & \quad \left. + \text{KL}(q_\phi(\vec{z}^{(t)}|\vec{x}^{(1:t)})||p(\vec{z}^{(t)})) \right).
          \end{aligned}""",
        "The loss of SVG with a fixed prior, a negative ELBO.",
        code=("vaecore.models.video.svg.SVG.evidence",),
        doors=(Door("svg-fp-mnist in Video", "/video?run=gallery/svg-fp-mnist"),),
        claims=("C12",)),
    Equation(
        34, r"""
        p_\theta(\vec{z}^{(1:T)}, \vec{x}^{(1:T)}) = \prod_{t=1}^T p_\theta(\vec{z}^{(t)} | \vec{x}^{(1:(t-1))})
          p_\theta(\vec{x}^{(t)} | \vec{z}^{(1:t)}, \vec{x}^{(1:(t-1))})""",
        "The prior of a frame's code is learned from the frames before.",
        code=("vaecore.models.video.svg.SVG.priors",),
        doors=(Door("svg-lp-mnist in Video", "/video?run=gallery/svg-lp-mnist"),),
        claims=("C12",)),
    Equation(
        35, r"""
        \sum_{t=1}^T \left( - \int \left( \log p_\theta(\vec{x}^{(t)} | \vec{z}^{(1:t)}, \vec{x}^{(1:(t-1))})
          \right) \prod_{t'=1}^t q_\phi(\vec{z}^{(t')} | \vec{x}^{(1:t')}) d\vec{z}^{(t')} +
          \text{KL}(q_\phi(\vec{z}^{(t)} | \vec{x}^{(1:t)}) || p_\theta(\vec{z}^{(t)} | \vec{x}^{(1:(t-1))}))
          \right).""",
        "The loss of SVG with a learned prior, a negative ELBO: the KL is from what the past expects.",
        code=("vaecore.models.video.svg.SVG.evidence", "vaecore.models.video.svg.SVG.priors"),
        doors=(
            Door("svg-lp-mnist in Video", "/video?run=gallery/svg-lp-mnist"),
            Door("svg-lp-characters in Video", "/video?run=gallery/svg-lp-characters")),
        claims=("C12",)),
    Equation(
        36, r"""
        \sum_{t=1}^T \text{KL} \left( p_\theta(\vec{x}^{(t)} | \vec{x}^{(1:(t-1))}) p(\vec{x}^{(1:(t-1))}) ||
          p(\vec{x}^{(1:t)}) \right).""",
        "As printed, KL(model ‖ data), which the loss of SVG-LP need not bound; with its arguments exchanged, less the "
        "entropy of the data, it is bounded.",
        code=("vaecore.studies.e07_direction.run",),
        doors=(Door("The claim, in closed form", "/claims?claim=E7"),),
        claims=("E7",)),
    Equation(
        37, r"""
        -\int \left( \log p_{\theta}(\vec{x}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}) d\vec{z} +
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}) || p(\vec{z})).""",
        "The loss again: a KL that is near 0 at the start may stay there.",
        code=("vaecore.models.evidence.Terms.loss", "vaecore.models.single.vae.VAE.evidence"),
        doors=(
            Door("Watch a collapse, 40 seconds", "/experiments?experiment=water-filling"),
            Door("The lagging encoder", "/experiments?experiment=lagging")),
        claims=("C13", "C14")),
    Equation(
        38, r"""
        -\int \left( \log p_{\theta}(\vec{x}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}) d\vec{z} + \beta^{(t)}
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}) || p(\vec{z})).""",
        "A weight beta of the KL that rises while training: annealing. A constant one is a beta-VAE.",
        code=("vaecore.schedules.beta.LinearBeta", "vaecore.models.evidence.Terms.loss"),
        doors=(
            Door("beta and KL of vae-cyclical", "/monitor?runs=gallery/vae-cyclical"),
            Door("Train with annealing", "/train?preset=vae-mnist")),
        claims=("C15", "C16")),
    Equation(
        39, r"""
        -\int \left( \log p_{\theta}(\vec{x}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}) d\vec{z} +
          \text{KL}(q_{\phi}(\vec{z}|\vec{x}) || p(\vec{z})),""",
        "The loss again: its KL is cheap because both are normal; another prior needs samples.",
        code=("vaecore.probability.gaussian.sampled_kl", "vaecore.models.single.vae.VAE.evidence"),
        doors=(Door("The prior of vae-conv-mixture", "/traverse?run=gallery/vae-conv-mixture&view=Prior"),),
        claims=("C17",)),
    Equation(
        40, r"""
        -\int \left( \log p_{\theta}(\vec{x}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}) d\vec{z} +
          W(q_{\phi}(\vec{z}|\vec{x}) || p_{\theta}(\vec{z})),""",
        "A Wasserstein distance in the place of the KL.",
        code=(
            "vaecore.probability.divergences.PerObservation",
            "vaecore.probability.divergences.MMD",
            "vaecore.probability.divergences.Critic"),
        doors=(Door("The prior of wae, and its codes", "/traverse?run=gallery/wae&view=Prior"),),
        claims=("C19",)),
    Equation(
        41, r"""
        \begin{aligned} q_\phi(\vec{z}) &:= \int q_\phi(\vec{z}|\vec{x})p(\vec{x})d\vec{x} \\
        &\approx \int p_\theta(\vec{z}|\vec{x})p(\vec{x})d\vec{x} \\
        &\approx \int p_\theta(\vec{z}|\vec{x})p_\theta(\vec{x})d\vec{x} \approx p(\vec{z}). \end{aligned}""",
        "The best prior is the mean of all posteriors: the aggregated posterior.",
        code=(
            "vaecore.probability.priors.Aggregated",
            "vaecore.probability.priors.Vamp",
            "vaecore.probability.aggregate.aggregate_log_prob"),
        doors=(Door("The pseudo-inputs of vae-vamp", "/traverse?run=gallery/vae-vamp&view=Prior"),),
        claims=("C17", "C18", "C22")),
)
