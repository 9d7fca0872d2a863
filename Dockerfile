# lstmdrop on a CPU. The default command is the demo: two trainings, their difference, and a sample; about two minutes on two cores.
#   docker build -t lstmdrop . && docker run --rm lstmdrop
#   docker run --rm -v "$PWD/runs:/home/lstmdrop/runs" lstmdrop train lm --data demo --size tiny
FROM python:3.11-slim-bookworm

RUN useradd --create-home lstmdrop
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY tasks tasks
# The CPU build of PyTorch is a tenth of the one with CUDA; the rest are the versions that were tested.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt "torch==2.13.0+cpu" ".[serve,hub]"
COPY tools/demo.sh /usr/local/bin/lstmdrop-demo

USER lstmdrop
WORKDIR /home/lstmdrop
ENV PYTHONUNBUFFERED=1
# With arguments it is the command line; without, the demo.
ENTRYPOINT ["/usr/local/bin/lstmdrop-demo"]
