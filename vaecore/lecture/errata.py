"""Where coding the lecture as printed goes wrong, and what it must be: `docs/errata.md` as data."""

from __future__ import annotations

from vaecore.lecture.entries import Erratum

ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "E1", "H", "motivation, (13)",
        printed="log p(x) ≈ M⁻¹ Σ log p(x|z_m), z ~ p(z)",
        correct="log M⁻¹ Σ p(x|z_m): the mean stands inside the logarithm",
        code="`evaluate/likelihood.py` uses log-sum-exp; `evaluate/naive.py` has both, C3 the difference",
        equations=(13,),
        formula=r"""
        \log p_{\theta}(\vec{x}_i) \approx \log \left( M^{-1} \sum_{m=1}^M p_{\theta}(\vec{x}_i | \vec{z}_m)
        \right), \quad \vec{z}_m \sim p(\vec{z})"""),
    Erratum(
        "E2", "H", "(14)",
        printed="the same with z ~ q(z|x)",
        correct="that is the reconstruction term only; the estimate weighs by p(z)/q(z|x)",
        code="`importance_log_weights`",
        equations=(14,),
        formula=r"""
        \log p_{\theta}(\vec{x}_i) \approx \log \left( M^{-1} \sum_{m=1}^M \frac{p_{\theta}(\vec{x}_i |
        \vec{z}_{i,m}) p(\vec{z}_{i,m})}{q_{\phi}(\vec{z}_{i,m} | \vec{x}_i)} \right), \quad \vec{z}_{i,m}
        \sim q_{\phi}(\vec{z} | \vec{x}_i)"""),
    Erratum(
        "E3", "H", "(16)",
        printed="sums over j = 1..p, minus p",
        correct="sums over the latent dimensions 1..r, minus r",
        code="`DiagonalGaussian.kl_from_standard`, held against numerical integration",
        equations=(16,),
        formula=r"""
        \frac{1}{2} \left( \sum_{j=1}^r \mu_{Z_j|\vec{X}}^2(\vec{x}) + \sum_{j=1}^r
        \sigma_{Z_j|\vec{X}}^2(\vec{x}) - \sum_{j=1}^r \log \sigma_{Z_j|\vec{X}}^2(\vec{x}) - r \right)"""),
    Erratum(
        "E4", "H", "(21)",
        printed="KL with one argument",
        correct="KL(q(z|x⁽¹:ᴹ⁾) ‖ p_θ(z|x⁽¹:ᴹ⁾)); the prior enters after the ELBO identity",
        code="`Multimodal.evidence`: the KL to the prior, as on the second line",
        equations=(21,),
        formula=r"""
        -\log p_{\theta}(\vec{x}^{(1:M)}) + \text{KL}(q_{\phi}(\vec{z}|\vec{x}^{(1:M)}) ||
        p_{\theta}(\vec{z}|\vec{x}^{(1:M)}))"""),
    Erratum(
        "E5", "H", "(29)",
        printed="p(x⁽ᵗ⁾|z)",
        correct="p(x⁽ᵗ⁾|z, x⁽¹:ᵗ⁻¹⁾): the history was dropped",
        code=("every family of clips reads the frames before: `VideoFamily.predictions`; tested frame by "
        "frame"),
        equations=(29,),
        formula=r"""
        - \sum_{t=1}^T \int (\log p_\theta(\vec{x}^{(t)}|\vec{z}, \vec{x}^{(1:(t-1))}))
        q_\phi(\vec{z}|\vec{x}^{(1:T)}) d\vec{z} + \text{KL}(q_\phi(\vec{z}|\vec{x}^{(1:T)})||p(\vec{z}))"""),
    Erratum(
        "E6", "M", "(31)",
        printed="\"i.i.d. samples\"",
        correct="i.i.d. given the video only",
        code="`models/video/sv2p.py`: one density a clip, a fresh sample a frame",
        equations=(31,)),
    Erratum(
        "E7", "M", "(36)",
        printed="KL(model ‖ data)",
        correct="the ELBO bounds the forward KL(data ‖ model)",
        code="claim E7: both directions in closed form on a linear-Gaussian toy",
        equations=(36,),
        formula=r"""
        \sum_{t=1}^T \text{KL} \left( p(\vec{x}^{(1:t)}) || p_\theta(\vec{x}^{(t)} | \vec{x}^{(1:(t-1))})
        p(\vec{x}^{(1:(t-1))}) \right)"""),
    Erratum(
        "E8", "L", "(8)",
        printed="KL(P_n ‖ P_θ)",
        correct="cross-entropy −∫ log p_θ dP_n; the KL to a discrete P_n is formal",
        code="objectives are named ELBO, never KL",
        equations=(8,),
        formula=r"""
        \theta^* \in \arg \min_{\theta} \left( - \int \log p_{\theta}(\vec{x}) d\mathbb{P}_n(\vec{x})
        \right)"""),
    Erratum(
        "E9", "M", "(20)",
        printed="penalties α KL(joint ‖ single)",
        correct="the direction is right; gradients also flow into the joint encoder unless stopped",
        code="`JMVAEConfig.stop_gradient`; the direction is tested against the other",
        equations=(20,)),
    Erratum(
        "E10", "H", "(23)",
        printed="\"the quotient is Gaussian\"",
        correct="q̃ is a potential, not a posterior: one modality's posterior is prior × expert",
        code="`Experts.product` multiplies the prior in, for every subset; C4",
        equations=(23,),
        formula=r"""
        p_{\theta^{(m)}}(\vec{z}|\vec{x}^{(m)}) \approx p(\vec{z})
        \tilde{q}_{\phi^{(m)}}(\vec{z}|\vec{x}^{(m)}) \Big/ \int p(\vec{z})
        \tilde{q}_{\phi^{(m)}}(\vec{z}|\vec{x}^{(m)}) d\vec{z}"""),
    Erratum(
        "E11", "M", "MVAE",
        printed="\"sum of three\"",
        correct="1 joint + M marginal + k random-subset ELBOs, subset size drawn first",
        code="`MVAE.objective`, `MVAE.drawn_subsets` in `models/multimodal/mvae.py`; C5",
        equations=(24,),
        formula=r"""
        \text{ELBO}(\vec{x}^{(1:M)}) + \sum_{m=1}^M \text{ELBO}(\vec{x}^{(m)}) + \sum_{l=1}^k
        \text{ELBO}(\vec{x}^{(S_l)})"""),
    Erratum(
        "E12", "H", "DMVAE",
        printed="\"sum of two\"",
        correct="cross-reconstruction ELBOs belong to it",
        code="`models/multimodal/dmvae.py`: one more ELBO a modality; `cross=false` for comparison, C8",
        equations=(27,)),
    Erratum(
        "E13", "L", "(25)",
        printed="p(iᵐ)",
        correct="p(i⁽ᵐ⁾)",
        code="–",
        equations=(25,),
        formula=r"""
        p_{\theta(1:M)}(\vec{j}, \vec{i}^{(1:M)}, \vec{x}^{(1:M)}) := p(\vec{j}) \prod_{m=1}^M
        p(\vec{i}^{(m)}) \left( \prod_{m=1}^M p_{\theta(m)}(\vec{x}^{(m)} | \vec{j}, \vec{i}^{(m)}) \right)"""),
    Erratum(
        "E14", "M", "(26)–(27)",
        printed="q(j|x) or q̃",
        correct="decide whether an expert is a posterior or a potential, and say so",
        code="a potential everywhere: MVAE and DMVAE alike multiply the prior in",
        equations=(26, 27)),
    Erratum(
        "E15", "M", "PredNet",
        printed="\"minimises the MSE\"",
        correct="an L1 loss on rectified errors; MSE is the test metric",
        code="`models/video/prednet.py`: a Laplace density, so that nats are what is trained"),
    Erratum(
        "E16", "M", "(35)",
        printed="\"intuitively modified\"",
        correct="it is the exact ELBO of (34); β there fixes σ² = βD/2",
        code=("`models/video/svg.py`: the KL in closed form; `model.likelihood.sigma` says the noise, beta "
        "stays 1"),
        equations=(35,)),
    Erratum(
        "E17", "M", "(37)",
        printed="KL ≈ 0 with random weights",
        correct="true for small initial weights only",
        code=("an evaluation at step 0 shows what it is; the sentence VAE draws its weights from U(−s, s), "
        "s a field"),
        equations=(37,)),
    Erratum(
        "E18", "L", "(38)",
        printed="β⁽ᵗ⁾, T",
        correct="training iterations here, frames in the video part",
        code="`step` and `total` in `schedules/beta.py`",
        equations=(38,)),
    Erratum(
        "E19", "M", "Prop. 2",
        printed="\"lower cost\"",
        correct=("both solutions compared at the same fixed γ; with learned γ the optimum is the mean squared "
        "error"),
        code=("`GaussianFixed` and `GaussianLearned` are two likelihoods; `evaluate/gamma.py` has both "
        "costs and where they cross")),
    Erratum(
        "E20", "H", "(40)",
        printed="W(q(z|x) ‖ p(z))",
        correct="per x it pulls each code to the prior; WAE penalises the aggregate",
        code=("`probability/divergences.py`: `mmd`, `sliced` and `critic` measure the aggregate, `per-x` is "
        "the printed one"),
        equations=(40,),
        formula=r"""
        -\int \left( \log p_{\theta}(\vec{x}|\vec{z}) \right) q_{\phi}(\vec{z}|\vec{x}) d\vec{z} +
        W(q_{\phi}(\vec{z}), p(\vec{z})), \quad q_{\phi}(\vec{z}) = \int q_{\phi}(\vec{z}|\vec{x})
        p(\vec{x}) d\vec{x}"""),
    Erratum(
        "E21", "H", "(41)",
        printed="the aggregated posterior is \"the VampPrior\"",
        correct="aggregate, VampPrior and implicit optimal prior are three things",
        code="`Aggregated`, `Vamp` and `ImplicitPrior` in `probability/priors.py`",
        equations=(41,),
        formula=r"""
        \begin{aligned} \text{aggregated: } & n^{-1} \sum_{i=1}^n q_{\phi}(\vec{z}|\vec{x}_i) \\
        \text{VampPrior: } & K^{-1} \sum_{k=1}^K q_{\phi}(\vec{z}|\vec{u}_k), \quad K \ll n \\
        \text{implicit: } & p(\vec{z}) \exp(g(\vec{z})) / Z, \quad g \approx \log q_{\phi}(\vec{z}) - \log
        p(\vec{z}) \end{aligned}"""),
    Erratum(
        "E22", "M", "Algorithm 1",
        printed="\"until convergence\"",
        correct="mean loss of a window against that of the window before, at most 99 encoder steps",
        code="`Turns` in `training/turns.py`"),
    Erratum(
        "E23", "L", "ICA",
        printed="∫ δ_x(Wz) dP(z)",
        correct="p(x) = |det W|⁻¹ Π p(s_j), s = W⁻¹x",
        code="`models/single/ica.py`; its W is the unmixing matrix, the inverse of the lecture's",
        formula=r"p_\theta(\vec{x}) = |\det W|^{-1} \prod_{j=1}^p p(s_j), \quad \vec{s} = W^{-1} \vec{x}"),
    Erratum(
        "E24", "L", "missing types",
        printed="a question",
        correct="2ᴹ − 1 observed patterns",
        code="`all_subsets`; an evaluation's coherence lists them",
        equations=(21,)),
    Erratum(
        "E25", "M", "(12)",
        printed="\"reduces to the AE error\"",
        correct=("up to 1/(2σ²) and ½ p log 2πσ²; that scale is the whole story of β: ½ of the squared error "
        "and β KL is σ² = β, where Rybkin et al. (2021) print σ = √(β/2) against their own equation "
        "(4)"),
        code=("`GaussianFixedConfig.sigma` says so in its help, `gaussian-optimal` finds σ; a gradient test "
        "tells β from β/2"),
        equations=(12,),
        formula=r"""
        -\log p_\theta(\vec{x}|\vec{z}) = \frac{1}{2\sigma^2} \|\vec{x} -
        \vec{\mu}_{\vec{X}|\vec{Z}}(\vec{z})\|^2 + \frac{p}{2} \log 2\pi\sigma^2"""),
    Erratum(
        "E26", "L", "notation M",
        printed="three meanings",
        correct="`n_samples`, modalities, `n_cycles`",
        code="names in the code",
        equations=(11, 13, 14, 21)),
)
