"""Parameters of addresses that name where a reader came from, never which page it is.

The names are those that vendors document, compared in November 2026 with the lists of Brave's and
Firefox's query filters and of AdGuard's tracking filter. The list need not be complete: a parameter
that it lacks, and that no address of the site has, is left out all the same, as a guess
(``addresses.PageIndex``). So it holds only names that no site uses for its own pages: ``ref``,
``source``, ``cid`` and ``sid`` are not here.

>>> is_tracking("UTM_Source"), is_tracking("gad_campaignid"), is_tracking("id")
(True, True, False)
"""

from __future__ import annotations

import re

_TABLE = """
fbclid fb_action_ids fb_action_types fb_comment_id fb_ref fb_source fbrefresh __tn__ __xts__
gclid gclsrc gclid_source dclid gbraid wbraid gad gad_source gad_campaignid srsltid _ga _gac _gl
gs_l gs_lcrp gs_lcp sca_esv usqp ved amp_js_v amp_gsa aqs
msclkid cvid twclid twsrc twgr twterm __twitter_impression ref_src ref_url
ttclid igsh igshid ig_rid sfnsn extid mibextid rdid share_app_id sccid scclid epik
li_fat_id lipi trk_contact trk_msg trk_module trk_sid rdt_cid qclid
yclid ysclid ymclid _openstat ybaip frommarket vk_ref rb_clickid
spm spm_id_from scm share_source share_medium share_plat share_session_id share_tag
wfr bd_vid qz_gdt
mc_cid mc_eid mc_tc _hsenc _hsmi __hssc __hstc __hsfp hsctatracking mkt_tok trk_mkt
__s _ke _kx klaviyo ck_subscriber_id sb_ck_subscriber_id vero_id vero_conv
oly_anon_id oly_enc_id omnisendcontactid omnisendattributionid ml_subscriber ml_subscriber_hash
bbeml bsft_aaid bsft_clkid bsft_eid bsft_ek bsft_lx bsft_mid bsft_mime_type bsft_tv bsft_uid
bsft_utid et_rid ss_email_id ss_source ss_campaign_id ss_campaign_name ss_campaign_sent_date
sc_customer sc_eh sc_uid sc_cid sc_src sc_llid _bhlid ceneo_spo at_recipient_id
at_recipient_list nb_expid guce_referrer guce_referrer_sig guccounter
cmpid s_cid s_kwcid ef_id cm_mmc cm_mmca1 cm_mmca2 cm_mmca3 cm_mmc_o cm_ven cm_cat cm_pla
cm_ite cm_sp cm_re icid intcid int_cmp intcmp xtor xtref xts xtcr xtmc itm_source itm_medium
itm_campaign wt_mc wt_zmc wtmc wt.mc_id wt.mc_ev wickedid
cjevent cjdata irclickid irgwc tduid admitad_uid awc ranmid raneaid ransiteid sscid
_branch_match_id _branch_referrer action_object_map action_ref_map action_type_map
tblci tb_cid ob_click_id obclickid dicbo outbrainclickid vgo_ee unicorn_click_id
adj_t adj_campaign adj_creative adj_adgroup af_ad af_adset af_click_lookback
_x_tr_sl _x_tr_tl _x_tr_hl _x_tr_pto _x_tr_sch _x_tr_hist
__cf_chl_tk __cf_chl_f_tk __cf_chl_rt_tk __cf_chl_jschl_tk__ cf_chl_seq cn-reloaded
phpsessid jsessionid aspsessionid cfid cftoken
"""
NAMES = frozenset(_TABLE.split())
PREFIXES = (
    "utm_", "utm-", "pk_", "piwik_", "mtm_", "matomo_", "hsa_", "at_", "ga_", "stm_",
    "_x_tr_", "oft_", "__cf_chl_", "trk_",
)  # fmt: skip
# Names that many use for sessions and some for pages; a session's value is long and random.
SESSIONS = frozenset(
    ("sid", "s", "session", "session_id", "sessionid", "oscsid", "zenid", "xtcsid")
)
# Of these alone it is certain on every site, whatever its addresses are like.
CERTAIN_PREFIX = "utm_"
CERTAIN = frozenset(
    ("fbclid", "gclid", "gbraid", "wbraid", "dclid", "gad_source", "gad_campaignid", "msclkid",
     "yclid", "ttclid", "twclid", "li_fat_id", "igshid", "mc_cid", "mc_eid", "_ga", "_gl",
     "_hsenc", "_hsmi", "phpsessid", "jsessionid")
)  # fmt: skip
RANDOM = re.compile(r"(?=.*\d)[0-9a-z]{20,}", re.IGNORECASE)


def is_tracking(name: str, value: str = "") -> bool:
    """Is it a parameter that means nothing for which page it is?"""
    name = name.lower()
    if name in NAMES or name.startswith(PREFIXES):
        return True
    return name in SESSIONS and RANDOM.fullmatch(value) is not None


def is_certain(name: str) -> bool:
    """Does it mean nothing for which page it is even where two pages have addresses that differ by
    what ``is_tracking`` alone?
    """
    name = name.lower()
    return name in CERTAIN or name.startswith(CERTAIN_PREFIX)
