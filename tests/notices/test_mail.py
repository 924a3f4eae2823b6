"""Letters on their way through a real mail server, and what its refusals become."""

import asyncio
import io
import logging
import re
import traceback
from email.utils import parsedate_to_datetime

import pytest
import zxingcpp
from PIL import Image

from domain.contact import Address, Channel
from domain.errors import Refusal, Unavailable
from domain.languages import Language
from notices.letters import Letter, render
from notices.mail import LetterRefused, MailSender
from tests.notices import samples
from tests.notices.mailbox import MAIL_FROM, Mailbox, html_of, open_mailbox, text_of
from tools.stage.ports import free_port

TO = Address(Channel.EMAIL, "zoe@example.org")
MESSAGE_ID = "<ask.0f3c7a52-9d0f-4c55-8d5b-3f6f0a1f7a11.0123456789.1.0@handover.example.org>"


def letter(language: Language = Language.FRENCH) -> Letter:
    return render(samples.ask(message="À bientôt"), language)


async def test_a_letter_arrives_with_its_headers_and_both_its_bodies(mailbox: Mailbox) -> None:
    await mailbox.sender().send(letter(), TO, MESSAGE_ID)
    (arrived,) = mailbox.letters
    assert mailbox.envelopes == [("handover@handover.example", ("zoe@example.org",))]
    assert arrived["Message-ID"] == MESSAGE_ID
    assert arrived["From"] == MAIL_FROM
    assert arrived["To"] == "zoe@example.org"
    assert arrived["Subject"] == letter().subject
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["Content-Language"] == "fr"
    assert parsedate_to_datetime(arrived["Date"]).tzinfo is not None
    assert arrived.get_content_type() == "multipart/alternative"
    assert "> À bientôt" in text_of(arrived)
    assert samples.LINK in text_of(arrived)
    assert f'href="{samples.LINK}"' in html_of(arrived)


async def test_the_links_qr_code_comes_with_the_question_and_reads_as_the_link(mailbox: Mailbox) -> None:
    await mailbox.sender().send(letter(), TO, MESSAGE_ID)
    await mailbox.sender().send(render(samples.code(), Language.FRENCH), TO, MESSAGE_ID)
    question, code = mailbox.letters
    (picture,) = [part for part in question.walk() if part.get_content_maintype() == "image"]
    shown = re.findall(r'<img src="([^"]*)"', html_of(question))
    assert shown == [f"cid:{str(picture['Content-ID']).strip('<>')}"]
    assert picture.get_content_disposition() == "inline"
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.get_content())))
    assert [found.text for found in read] == [samples.LINK]
    assert [part.get_content_type() for part in code.walk()] == ["multipart/alternative", "text/plain", "text/html"]


async def test_a_long_message_id_is_not_folded_or_encoded(mailbox: Mailbox) -> None:
    long = f"<ask.{'t' * 64}.0123456789.12.3@a-very-long-name-of-an-origin.handover.example.org>"
    await mailbox.sender().send(letter(), TO, long)
    assert b"".join(mailbox.letters[0].as_bytes().split()).count(long.encode()) == 1
    assert mailbox.letters[0]["Message-ID"].strip() == long


async def test_a_server_that_is_away_is_unavailable() -> None:
    sender = MailSender(host="127.0.0.1", port=free_port(), mail_from=MAIL_FROM, timeout=5)
    with pytest.raises(Unavailable):
        await sender.send(letter(), TO, MESSAGE_ID)


async def test_a_server_that_says_nothing_is_unavailable_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        sender = MailSender(host="127.0.0.1", port=port, mail_from=MAIL_FROM, timeout=0.3)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(sender.send(letter(), TO, MESSAGE_ID), 5)


@pytest.mark.parametrize("answer", ["450 4.2.1 zoe@example.org busy", "452 4.2.2 full"])
async def test_come_later_is_unavailable(mailbox: Mailbox, answer: str) -> None:
    mailbox.answers[TO.value] = answer
    with pytest.raises(Unavailable):
        await mailbox.sender().send(letter(), TO, MESSAGE_ID)
    mailbox.answers.clear()
    mailbox.on_data = "451 4.3.0 later"
    with pytest.raises(Unavailable):
        await mailbox.sender().send(letter(), TO, MESSAGE_ID)


async def test_a_recipient_or_a_letter_refused_for_good_is_no_use_to_try_again(mailbox: Mailbox) -> None:
    mailbox.answers[TO.value] = "550 5.1.1 zoe@example.org unknown"
    with pytest.raises(LetterRefused) as refused:
        await mailbox.sender().send(letter(), TO, MESSAGE_ID)
    assert isinstance(refused.value, Refusal)
    mailbox.answers.clear()
    mailbox.on_data = "554 5.7.1 no such mail here"
    with pytest.raises(LetterRefused):
        await mailbox.sender().send(letter(), TO, MESSAGE_ID)


async def test_tls_or_a_login_that_the_server_lacks_is_unavailable_and_nothing_is_sent(mailbox: Mailbox) -> None:
    for sender in (mailbox.sender(starttls=True), mailbox.sender(user="us", password="secret")):
        with pytest.raises(Unavailable):
            await sender.send(letter(), TO, MESSAGE_ID)
    assert mailbox.letters == []


@pytest.mark.parametrize("answer", ["450 zoe@example.org busy", "550 zoe@example.org unknown"])
async def test_no_error_or_log_shows_an_address(
    mailbox: Mailbox, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.answers[TO.value] = answer
    with caplog.at_level(logging.DEBUG), pytest.raises((Unavailable, LetterRefused)) as raised:
        await mailbox.sender().send(letter(), TO, MESSAGE_ID)
    shown = "".join(traceback.format_exception(raised.value))
    ours = "".join(record.getMessage() for record in caplog.records if record.name.split(".")[0] != "mail")
    assert "zoe" not in shown + repr(raised.value) + ours


async def test_an_internationalised_domain_is_written_for_every_server(mailbox: Mailbox) -> None:
    await mailbox.sender().send(letter(), Address(Channel.EMAIL, "zoe@müller.example.org"), MESSAGE_ID)
    assert mailbox.envelopes[0][1] == ("zoe@xn--mller-kva.example.org",)


async def test_an_internationalised_mailbox_is_refused_where_the_server_can_not_write_it(mailbox: Mailbox) -> None:
    zoe = Address(Channel.EMAIL, "zoé@example.org")
    await mailbox.sender().send(letter(), zoe, MESSAGE_ID)
    assert mailbox.envelopes[0][1] == ("zoé@example.org",)
    with open_mailbox(utf8=False) as plain:
        with pytest.raises(LetterRefused):
            await plain.sender().send(letter(), zoe, MESSAGE_ID)
        await plain.sender().send(letter(), TO, MESSAGE_ID)
        assert "À bientôt" in text_of(plain.letters[0])
